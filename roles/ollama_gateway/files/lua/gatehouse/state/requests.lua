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
local format, gsub = string.format, string.gsub

-- In seconds: how often the ledger is looked at for what is new, how often the store is asked in any case, how long the
-- thread that speaks to the store waits for something, and how long it lives: what nginx keeps for it is freed then.
local SETTLE, CHECK, WAIT, LIFE = 0.2, 1, 1, 60
-- Where whoever deploys reads whether the store is reached: memory of the container.
local STATE = "/tmp/gatehouse_valkey"

local _M = {}
local store, gate, settlement, tell, semaphore
local is_settling, is_checking, is_speaking, shown = false, false, false, nil

local function digest(text)
    return (gsub(ngx.sha1_bin(text), ".", function(byte) return format("%02x", byte:byte()) end))
end

local function read_password(path)
    local file = open(path, "rb")
    local text = file and file:read("*l")
    if file then
        file:close()
    end
    return text or ""
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
        first = function(day) return options.sum("first", path_of(day)) end,
        read = function(day, from) return options.sum("read", path_of(day), from) end,
    })
end

local keep_speaking

-- The thread of a worker that speaks to the store. A worker that ends goes on until its requests have.
local function speak()
    local ends = ngx.now() + LIFE
    repeat
        local ok, err = pcall(gate.turn, gate)
        if not ok then
            tell("failed to speak to the store: " .. tostring(err))
        end
        semaphore:wait(WAIT)
    until ngx.now() >= ends or ngx.worker.exiting() and gate:is_idle()
    is_speaking = false
    if not ngx.worker.exiting() or not gate:is_idle() then
        keep_speaking()
    end
end

-- Where a worker ends at once there are no threads any more.
function keep_speaking()
    if not is_speaking then
        local ran, ok = pcall(ngx.timer.at, 0, speak)
        is_speaking = ran and ok or false
    end
end

-- Once for all workers. `settings`: those of state.json; `options`: `password`, the path of a file; `ledger`, that of
-- the folder; `sum`, which has usage/day_sums.lua do something in a thread; `rights`, which tells those of the clients;
-- `own`, the gate of this gateway; `log`. Returns the gate of all gateways.
function _M.init(settings, options)
    tell = options.log
    local redis = require "resty.redis"
    store = stores.new({
        addresses = settings.addresses,
        master = settings.master ~= "" and settings.master or nil,
        user = settings.user,
        password = function() return read_password(options.password) end,
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
            keep_speaking()
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

-- Beside each other: a disk that hangs must not keep a store from being found again.
local function settle(premature)
    if premature or is_settling or store:is_lost() then
        return
    end
    is_settling = true
    local ok, err = pcall(settlement.turn, settlement)
    is_settling = false
    if not ok then
        tell("failed to settle what was used: " .. tostring(err))
    end
end

local function check(premature)
    if premature or is_checking then
        return
    end
    is_checking = true
    local ok, is_there, err = pcall(settlement.check, settlement)
    is_checking = false
    if not ok then
        tell("failed to ask the store: " .. tostring(is_there))
    else
        show(is_there and "up" or tostring(err))
    end
end

-- Returns true; or nil and an error.
function _M.init_worker()
    if not store then
        return true
    end
    semaphore = require("ngx.semaphore").new(0)
    keep_speaking()
    local ok, err = true, nil
    if ngx.worker.id() == 0 then
        ok, err = ngx.timer.every(SETTLE, settle)
        if ok then
            ok, err = ngx.timer.every(CHECK, check)
        end
    end
    return ok, err
end

return _M
