-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Runs scripts in the Valkey that all gateways share. Where one call fails, nobody of any worker calls any more: a dead
-- store would cost each request its timeout. The settlement tries on, once a second and beside all requests, and what
-- it gets to write opens the way again.
--
-- With Sentinel the addresses are those of sentinels, and they are asked who the master is: once, again after each
-- failure, and with each check. See https://valkey.io/topics/sentinel-clients.

local find_text, match = string.find, string.match
local insert, remove = table.insert, table.remove

-- In milliseconds: how long connecting and each step of an answer may take, and how long a connection waits to be used
-- again. And how many of a worker wait.
local TIMEOUT, IDLE, POOL = 500, 60000, 4
local PREFIX = "gatehouse:"
-- What an error begins with that is about the server, and not about what it was asked.
local FAILURES = " READONLY MASTERDOWN LOADING MISCONF OOM NOREPLICAS CLUSTERDOWN NOAUTH NOPERM WRONGPASS BUSY "
-- In the memory of all workers: whether the store is lost, and how often it was. Connections of before are not used
-- again: the other side may be gone without a word.
local LOST, LOSSES = "store is lost", "store losses"

local _M = {}
local methods = {}

-- Connects to an address and says who this is. Returns a client of resty.redis; or nil and an error.
local function connect(self, address)
    local client = self.new_client()
    client:set_timeout(TIMEOUT)
    -- An IPv6 address stays in its brackets.
    local host, port = match(address, "^(.*):(%d+)$")
    local pool = "valkey " .. address .. " " .. self:losses()
    local ok, err = client:connect(host, tonumber(port), { pool = pool })
    if ok and (client:get_reused_times() or 0) > 0 then
        return client
    end
    if ok then
        -- Of itself resty.redis speaks TLS only from a version on that not everybody has.
        ok, err = client._sock:sslhandshake(false, self.name, true)
    end
    if ok then
        ok, err = client:auth(self.user, self.password())
    end
    if not ok then
        client:close()
        return nil, address .. ": " .. tostring(err)
    end
    return client
end

-- The same, and has Valkey know all scripts: in a message one that it does not know comes after the others.
local function connect_to_master(self, address)
    local client, err = connect(self, address)
    if not client or (client:get_reused_times() or 0) > 0 then
        return client, err
    end
    for _, text in pairs(self.scripts) do
        local ok
        ok, err = client:script("load", text)
        if not ok then
            client:close()
            return nil, address .. ": " .. tostring(err)
        end
    end
    return client
end

local function ask_sentinel(self, address)
    local client, err = connect(self, address)
    if not client then
        return nil, err
    end
    local found
    found, err = client:sentinel("get-master-addr-by-name", self.master)
    if type(found) ~= "table" or type(found[1]) ~= "string" then
        client:close()
        return nil, address .. ": " .. tostring(err or "it knows no master " .. self.master)
    end
    client:set_keepalive(IDLE, POOL)
    local host = found[1]
    return (match(host, ":") and "[" .. host .. "]" or host) .. ":" .. found[2]
end

-- Where writes go; or nil and an error. A sentinel that answered is asked first the next time.
local function find(self)
    if not self.master then
        return self.addresses[1]
    end
    local problem
    for i, address in ipairs(self.addresses) do
        local master, err = ask_sentinel(self, address)
        if master then
            remove(self.addresses, i)
            insert(self.addresses, 1, address)
            return master
        end
        problem = err
    end
    return nil, problem
end

-- How often what was known of the store has turned out to be wrong. What a worker knows from before does not count.
function methods:losses()
    return self.dict:get(LOSSES) or 0
end

-- Has all workers find the store anew, and tell it again what it may have forgotten.
function methods:doubt()
    self.dict:incr(LOSSES, 1, 0)
end

local function lose(self, err)
    if self.dict:safe_add(LOST, true) then
        self:doubt()
        self.log("the store that gateways share is lost: " .. tostring(err))
    end
    return nil, err
end

local function is_failure(err)
    return find_text(FAILURES, " " .. (match(err or "", "^%u+") or "") .. " ", 1, true) ~= nil
end

function methods:is_lost()
    return self.dict:get(LOST) ~= nil
end

local function regain(self)
    if self:is_lost() then
        self.dict:delete(LOST)
        self.log("the store that gateways share is there again")
    end
end

local function all_of(keys, args)
    local all, count = {}, #keys
    for i = 1, count do
        all[i] = PREFIX .. keys[i]
    end
    for i = 1, #args do
        all[count + i] = args[i]
    end
    return all
end

local function is_unknown(reply, err)
    return reply == false and match(err or "", "^NOSCRIPT") ~= nil
end

-- Of a script that the server does not know yet, the text is sent.
local function run(self, client, call)
    local name, keys, args = unpack(call)
    local all = all_of(keys, args)
    local reply, err = client:evalsha(self.digests[name], #keys, unpack(all))
    if is_unknown(reply, err) then
        reply, err = client:eval(self.scripts[name], #keys, unpack(all))
    end
    return reply, err
end

-- The same for many, in one go. One that fails by itself has the reply false.
local function run_all(self, client, calls)
    client:init_pipeline(#calls)
    for _, call in ipairs(calls) do
        local name, keys, args = unpack(call)
        client:evalsha(self.digests[name], #keys, unpack(all_of(keys, args)))
    end
    local replies, err = client:commit_pipeline()
    for i, reply in ipairs(replies or {}) do
        if type(reply) == "table" and reply[1] == false then
            reply, err = false, reply[2]
            if is_unknown(reply, err) then
                reply, err = run(self, client, calls[i])
            end
            if reply == nil or not reply and is_failure(err) then
                return nil, err
            elseif not reply then
                self.log("the store that gateways share refused " .. calls[i][1] .. ": " .. tostring(err))
            end
            replies[i] = reply
        end
    end
    return replies, err
end

-- `act`: run or run_all. Returns what it does, but nil for false: an error of the server means that it is no master any
-- more, has no room, or still reads what it had.
local function with_client(self, act, what)
    local losses, err = self:losses(), nil
    if not self.found or self.found_at ~= losses then
        self.found, err = find(self)
        self.found_at = losses
    end
    local address, client = self.found, nil
    if address then
        client, err = connect_to_master(self, address)
    end
    if not client then
        return lose(self, err)
    end
    local reply
    reply, err = act(self, client, what)
    if not reply then
        client:close()
        return lose(self, address .. ": " .. tostring(err))
    end
    client:set_keepalive(IDLE, POOL)
    return reply
end

-- Runs a script of state/scripts.lua where the store may be lost: it is no more if that goes well. For a script that
-- writes, beside all requests. `keys`: without the prefix; `args`: numbers and texts. Returns the reply; or nil and an
-- error.
function methods:try(name, keys, args)
    local reply, err = with_client(self, run, { name, keys, args })
    if reply then
        regain(self)
    end
    return reply, err
end

-- Asks the sentinels again who the master is: one that was cut off from them goes on as if nothing had happened.
function methods:check_master()
    local found = self.master and find(self)
    if found and self.found and found ~= self.found then
        self:doubt()
        self.log("the store that gateways share is now " .. found)
    end
end

-- Runs several, each {name, keys, args}, in one message and one after the other. Returns their replies; or nil and an
-- error.
function methods:call_all(calls)
    return with_client(self, run_all, calls)
end

-- `addresses`: each host:port, of Valkey or of sentinels, which know it as `master`; `user`; `password`: tells it;
-- `name`: in the certificates; `scripts`: by their names; `digest`: the SHA-1 of a text in base 16; `new_client`: as
-- resty.redis has it; `dict`: as ngx.shared has them; `log`: takes a message.
function _M.new(options)
    local digests = {}
    for name, text in pairs(options.scripts) do
        digests[name] = options.digest(text)
    end
    options.digests = digests
    return setmetatable(options, { __index = methods })
end

return _M
