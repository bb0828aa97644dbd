-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the modules about what gateways share: connections, the memory of all workers, and timers.

local gates = require "gatehouse.state.gate"
local lines = require "gatehouse.state.line"
local scripts = require "gatehouse.state.scripts"
local settlements = require "gatehouse.state.settlement"
local stores = require "gatehouse.state.store"

local open = io.open
local format, gsub, match = string.format, string.gsub, string.match

-- In seconds: how often the ledger is looked at for what is new, how often the store is asked in any case, and how long
-- the thread that speaks to the store waits for something.
local SETTLE, CHECK, WAIT = 0.2, 1, 1
-- Where whoever deploys reads whether the store is reached: memory of the container.
local STATE = "/tmp/gatehouse_valkey"
-- In bytes: of a ledger, to tell it from another one.
local HEAD = 4096

local _M = {}
local store, gate, settlement, tell, semaphore
local is_settling, checked, shown = false, 0, nil

local function digest(text)
    return (gsub(ngx.sha1_bin(text), ".", function(byte) return format("%02x", byte:byte()) end))
end

local function read(path, size)
    local file = open(path, "rb")
    local text = file and file:read(size)
    if file then
        file:close()
    end
    return text
end

-- Makes what settles; `options`: as for `init`.
local function new_settlement(settings, options)
    local function path_of(day)
        return options.ledger .. "/" .. day .. ".jsonl"
    end
    return settlements.new({
        store = store,
        gateway = settings.gateway,
        now = ngx.now,
        rights = options.rights,
        head = function(day) return read(path_of(day), HEAD) end,
        read = function(day, from)
            local ok, sums, to, is_end = ngx.run_worker_thread("ledger", "gatehouse.usage.day_sums", "read",
                path_of(day), from)
            if ok then
                return sums, to, is_end
            end
        end,
    })
end

-- Once for all workers. `settings`: those of state.json; `options`: `password`, the path of a file; `ledger`, that of
-- the folder; `rights`, which tells those of the clients; `own`, the gate of this gateway; `log`. Returns the gate of
-- all gateways.
function _M.init(settings, options)
    tell = options.log
    local redis = require "resty.redis"
    store = stores.new({
        addresses = settings.addresses,
        master = settings.master ~= "" and settings.master or nil,
        user = settings.user,
        password = function() return match(read(options.password, "*a") or "", "^[^\r\n]*") end,
        name = settings.name,
        scripts = scripts,
        digest = digest,
        new_client = function() return assert(redis:new()) end,
        dict = ngx.shared.gatehouse_run,
        log = tell,
    })
    local line = lines.new({
        store = store,
        new_waiter = function() return require("ngx.semaphore").new(0) end,
        wake = function()
            if semaphore:count() < 1 then
                semaphore:post(1)
            end
        end,
    })
    gate = gates.new({
        store = store,
        line = line,
        own = options.own,
        refuses = settings.lost == "refuse",
        now = ngx.now,
    })
    settlement = new_settlement(settings, options)
    return gate
end

-- Whether what gateways share is out of reach; nil where they share nothing.
function _M.is_lost()
    return store and store:is_lost()
end

-- The thread of a worker that speaks to the store. A worker that ends goes on until its requests have.
local function speak(premature)
    if premature then
        return
    end
    repeat
        local ok, err = pcall(gate.turn, gate)
        if not ok then
            tell("failed to speak to the store: " .. tostring(err))
        end
        semaphore:wait(WAIT)
    until ngx.worker.exiting() and (store:is_lost() or gate:is_idle())
end

-- Says `up`, or why not.
local function show(text)
    if text == shown then
        return
    end
    local file = open(STATE .. ".new", "wb")
    if file and file:write(text, "\n") and file:close() and os.rename(STATE .. ".new", STATE) then
        shown = text
    end
end

local function settle(premature)
    if premature or is_settling then
        return
    end
    local now = ngx.now()
    local is_due = now - checked >= CHECK or now < checked
    if store:is_lost() and not is_due then
        return
    end
    is_settling, checked = true, is_due and now or checked
    local ok, done, err = pcall(settlement.turn, settlement, is_due)
    is_settling = false
    if not ok then
        tell("failed to settle what was used: " .. tostring(done))
    elseif not done then
        show(tostring(err))
    elseif is_due then
        show("up")
    end
end

-- Returns true; or nil and an error.
function _M.init_worker()
    if not store then
        return true
    end
    semaphore = require("ngx.semaphore").new(0)
    local ok, err = ngx.timer.at(0, speak)
    if ok and ngx.worker.id() == 0 then
        ok, err = ngx.timer.every(SETTLE, settle)
    end
    return ok, err
end

return _M
