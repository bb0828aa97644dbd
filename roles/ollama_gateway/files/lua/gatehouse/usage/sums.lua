-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What each client used, by day and model, as the ledger has it, in memory that workers share. Nothing is read before
-- somebody asks; then only what was added since. One worker reads, and others go on with what is known. What a reader
-- leaves behind that died is thrown away: it may have counted a part of what it read.

local cjson = require "cjson.safe"

local date = os.date
local abs, floor = math.abs, math.floor
local match = string.match
local sort = table.sort

-- In seconds: a day, and after which time a worker that reads and says nothing counts as dead. No clock is trusted:
-- what is later than now is as old.
local DAY, DEAD = 86400, 10
-- So many models of a client a day, for names may be invented; others share a row. So many clients are added at once.
local MOST, OTHER, BATCH = 50, "other models", 25
-- Who reads and when it said so last, whether all was read that there was on a day, and whether something did not fit.
local READS, IS_READ, IS_FULL = "usage reads", "usage is read", "usage is full"

local _M = {}
local methods = {}

local function name_of(day)
    return date("!%Y-%m-%d", day * DAY)
end

local function today(self)
    return floor(self.now() / DAY)
end

local function count(known)
    local number = 0
    for _ in pairs(known) do
        number = number + 1
    end
    return number
end

local function add_to(known, models)
    local number = count(known)
    for model, sum in pairs(models) do
        if not known[model] and number >= MOST then
            model = OTHER
        end
        local before = known[model]
        if not before then
            before, number = { 0, 0, 0 }, number + 1
        end
        known[model] = { before[1] + sum[1], before[2] + sum[2], before[3] + sum[3] }
    end
end

-- What has no room is told, instead of throwing out something else.
local function keep(self, key, value)
    if not self.dict:safe_set(key, value, self.life) then
        if not self.flags:get(IS_FULL) then
            self.log("there is no room for what all clients used, so that they may be shown too little")
        end
        self.flags:set(IS_FULL, true)
    end
end

local function add(self, day, sums)
    local number = 0
    for client, models in pairs(sums) do
        local key = day .. ":" .. client
        local known = cjson.decode(self.dict:get(key) or "{}")
        add_to(known, models)
        keep(self, key, cjson.encode(known))
        number = number + 1
        if number % BATCH == 0 then
            self.give_way()
        end
    end
end

local function say(self)
    self.flags:set(READS, self.token .. " " .. self.now())
end

local function is_own(self)
    local reads = self.flags:get(READS)
    return reads ~= nil and match(reads, "^%S+") == self.token
end

-- Returns whether it was read to its end: not if somebody else reads meanwhile.
local function read_day(self, day)
    local name = name_of(day)
    local place, path = "from:" .. name, self.folder .. "/" .. name .. ".jsonl"
    local is_end = false
    while not is_end do
        local from = self.dict:get(place) or 0
        local sums, behind
        sums, behind, is_end = self.read(path, from)
        if not sums or not is_own(self) or (self.dict:get(place) or 0) ~= from then
            return false
        end
        keep(self, place, behind)
        add(self, name, sums)
        if not is_own(self) then
            return false
        end
        say(self)
    end
    return true
end

local function forget(self)
    self.dict:flush_all()
    self.flags:delete(IS_READ)
    self.flags:delete(IS_FULL)
end

-- When the one that reads said so last; nil if nobody reads.
local function said_at(self)
    local reads = self.flags:get(READS)
    return reads and tonumber(match(reads, "%S+$"))
end

-- Whether this one is to read now: nobody else does.
function methods:begin()
    local at = said_at(self)
    if at and abs(self.now() - at) <= DEAD then
        return false
    elseif at then
        forget(self)
        self.flags:delete(READS)
    end
    self.last = self.last + 1
    self.token = self.pid() .. ":" .. self.last
    return self.flags:safe_add(READS, self.token .. " " .. self.now()) or false
end

function methods:is_reading()
    return said_at(self) ~= nil
end

-- Reads what was added, the newest days first. Only after `begin`.
function methods:catch_up()
    local last, ok = today(self), true
    for day = last, last - self.days + 1, -1 do
        -- A line of the last second of a day may come after it.
        local is_over = day < last - 1
        if ok and not (is_over and self.dict:get("whole:" .. day)) then
            ok = read_day(self, day)
            if ok and is_over then
                keep(self, "whole:" .. day, true)
            end
        end
    end
    if ok then
        self.flags:set(IS_READ, last)
    end
    if is_own(self) then
        self.flags:delete(READS)
    end
end

-- This worker ends: what it is about to count is left to another one, from the begin.
function methods:stop()
    if is_own(self) then
        forget(self)
        self.flags:delete(READS)
    end
end

local function comes_before(one, other)
    if one.day ~= other.day then
        return one.day > other.day
    end
    return one.model < other.model
end

-- Returns a list of {day, model, requests, prompt_tokens, completion_tokens}, newest day first, the first day that it
-- is about, and whether nothing is missing.
function methods:of(client)
    local list, last = {}, today(self)
    for day = last, last - self.days + 1, -1 do
        local name = name_of(day)
        local known = cjson.decode(self.dict:get(name .. ":" .. client) or "{}")
        for model, sum in pairs(known) do
            list[#list + 1] = { day = name, model = model, requests = sum[1], prompt_tokens = sum[2],
                completion_tokens = sum[3] }
        end
    end
    sort(list, comes_before)
    return list, name_of(last - self.days + 1), self.flags:get(IS_READ) == last and not self.flags:get(IS_FULL)
end

-- `dict`, `flags`: as ngx.shared has them, the second one with room at any time; `folder`: where the days are; `days`:
-- how many are looked at, today included; `now`: tells the time in seconds; `pid`: tells this worker's process id;
-- `read`: as usage/day_sums.lua, but without sums where that failed; `give_way`: lets others have their turn; `log`:
-- takes a message.
function _M.new(options)
    options.life = (options.days + 1) * DAY
    options.last, options.token = 0, ""
    return setmetatable(options, { __index = methods })
end

return _M
