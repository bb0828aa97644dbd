-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Slots of requests that run at the same time: counted over all workers, and beside that what each worker holds, since
-- one that is killed gives nothing back. That is written down first: if a worker is killed between both, rather one
-- request too many runs once than a client has a slot less for ever.

local remembering = require "gatehouse.remembering"

local sub = string.sub

-- In seconds: longer than any look for dead workers takes; and how long a client's slots are remembered after its last
-- request, by all and by a worker.
local LOOK, FORGOTTEN, IDLE, FOR_EVER = 60, 86400, 600, 0

local _M = {}
local methods = {}

-- No name of a client and a pattern is longer.
local LONGEST = 2000

local key_of = remembering.new(function(scope)
    return "c:" .. scope
end, LONGEST)

local function key_of_holder(pid, scope)
    return "h:" .. pid .. ":" .. scope
end

local function keys_of_holder(pid)
    return remembering.new(function(scope) return key_of_holder(pid, scope) end, LONGEST)
end

-- That of this worker. The function that remembers is made elsewhere: LuaJIT compiles none that makes one.
local function own_key(self, scope)
    local pid = self.pid()
    if self.keys_of ~= pid then
        self.keys_of, self.own_keys = pid, keys_of_holder(pid)
    end
    return self.own_keys(scope)
end

-- Writes down that this worker holds something: each has a number, and none is above the one under "workers". Returns
-- true; or nil and an error.
local function enlist(self, pid)
    local dict, i = self.dict, 0
    local ok, err
    local workers = dict:get("workers") or 0
    repeat
        i = i + 1
        if i > workers then
            i, err = self.counters:add("workers", 1)
            if not i then
                return nil, err
            end
        end
        ok, err = dict:safe_add("w:" .. i, tostring(pid))
    until ok or err == "no memory"
    if not ok then
        if i > workers then
            dict:incr("workers", -1)
        end
        return nil, "there is no memory to note a worker"
    end
    self.enlisted = pid
    return true
end

-- What this worker holds nobody else counts. What it holds nothing of any more is forgotten after a while.
local function hold_more(self, scope)
    local holder = own_key(self, scope)
    local count, err = self.counters:add(holder, 1)
    if count == 1 then
        self.dict:expire(holder, FOR_EVER)
    end
    return count, err
end

local function hold_less(self, scope)
    local holder = own_key(self, scope)
    if self.dict:incr(holder, -1) == 0 then
        self.dict:expire(holder, IDLE)
    end
end

-- Writes down that this worker is about to take a slot. Returns true; or nil and an error.
local function note(self, scope)
    local pid = self.pid()
    local ok, err = true, nil
    if self.enlisted ~= pid then
        ok, err = enlist(self, pid)
    end
    if ok then
        ok, err = hold_more(self, scope)
    end
    return ok and true, err
end

-- Takes a slot, pending. Returns what counters.reserve does. Where it is not true, nothing is taken.
function methods:reserve(scope, limit)
    local ok, err = note(self, scope)
    if not ok then
        return nil, nil, err
    end
    local has_place, settled, problem = self.counters:reserve(key_of(scope), limit, FORGOTTEN)
    if not has_place then
        if settled then
            self.counters:withdraw(key_of(scope))
        end
        hold_less(self, scope)
    end
    return has_place, settled, problem
end

-- Takes a slot, whether there is one or not. Returns true; or nil and an error.
function methods:take(scope)
    local ok, err = note(self, scope)
    if ok then
        ok, err = self.counters:add(key_of(scope), 1, FORGOTTEN)
        if not ok then
            hold_less(self, scope)
        end
    end
    if not ok then
        return nil, err
    end
    self.dict:expire(key_of(scope), FORGOTTEN)
    return true
end

function methods:withdraw(scope)
    self.counters:withdraw(key_of(scope))
    hold_less(self, scope)
end

function methods:settle(scope)
    self.counters:settle(key_of(scope))
    self.dict:expire(key_of(scope), FORGOTTEN)
end

-- By the worker that took it.
function methods:release(scope)
    self.counters:give_back(key_of(scope), 1)
    hold_less(self, scope)
end

function methods:taken(scope)
    return self.counters:taken(key_of(scope))
end

-- Gives back what this worker held.
local function bury(self, pid)
    local dict, prefix = self.dict, key_of_holder(pid, "")
    for _, key in ipairs(dict:get_keys(0)) do
        if sub(key, 1, #prefix) == prefix then
            local held = dict:get(key) or 0
            if held > 0 then
                self.counters:give_back(key_of(sub(key, #prefix + 1)), held)
            end
            dict:delete(key)
        end
    end
end

-- Whether nobody else gives back what this dead worker held. Without memory to tell it: rather twice than never.
local function is_ours_to_bury(self, pid)
    local ok, err = self.dict:safe_add("dead:" .. pid, true, LOOK)
    return ok or err == "no memory"
end

-- Gives back what workers held that live no more. `lives`: tells it of a process id. All keys are looked through only
-- when one has died.
function methods:look(lives)
    local dict = self.dict
    for i = 1, dict:get("workers") or 0 do
        local pid = dict:get("w:" .. i)
        -- Another worker may be looking, too.
        if pid and not lives(pid) and is_ours_to_bury(self, pid) then
            bury(self, pid)
            dict:delete("w:" .. i)
        end
    end
end

-- `pid`: tells this worker's process id.
function _M.new(counters, pid)
    return setmetatable({ counters = counters, dict = counters.dict, pid = pid }, { __index = methods })
end

return _M
