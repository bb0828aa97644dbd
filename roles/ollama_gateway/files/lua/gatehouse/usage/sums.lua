-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What each client used, by day and model, as the ledger has it, in memory that workers share. Nothing is read before
-- somebody asks; then only what was added since. One worker reads, and others go on with what is known.

local cjson = require "cjson.safe"

local date = os.date
local floor = math.floor
local sort = table.sort

-- In seconds: a day, and after which time a worker that reads and says nothing counts as dead.
local DAY, DEAD = 86400, 60
-- One that reads, whether all was read that there was on a day, and what did not fit.
local READS, IS_READ, IS_FULL = "reads", "is read", "is full"

local _M = {}
local methods = {}

local function name_of(day)
    return date("!%Y-%m-%d", day * DAY)
end

local function today(self)
    return floor(self.now() / DAY)
end

local function add_to(known, models)
    for model, sum in pairs(models) do
        local before = known[model] or { 0, 0, 0 }
        known[model] = { before[1] + sum[1], before[2] + sum[2], before[3] + sum[3] }
    end
end

-- What has no room is told, instead of throwing out something else.
local function keep(self, key, value)
    if not self.dict:safe_set(key, value, self.life) then
        self.dict:set(IS_FULL, true, self.life)
    end
end

local function add(self, day, sums)
    for client, models in pairs(sums) do
        local key = day .. ":" .. client
        local known = cjson.decode(self.dict:get(key) or "{}")
        add_to(known, models)
        keep(self, key, cjson.encode(known))
        self.give_way()
    end
end

-- Returns whether it was read to its end.
local function read_day(self, day)
    local name = name_of(day)
    local place, path = "from:" .. name, self.folder .. "/" .. name .. ".jsonl"
    local is_end = false
    while not is_end do
        local sums, from
        sums, from, is_end = self.read(path, self.dict:get(place) or 0)
        if not sums then
            return false
        end
        -- First: what is counted once too little is no worse than what is counted twice.
        keep(self, place, from)
        add(self, name, sums)
        self.dict:set(READS, true, DEAD)
    end
    return true
end

-- Whether this one is to read now: nobody else does.
function methods:begin()
    return self.dict:safe_add(READS, true, DEAD)
end

function methods:is_reading()
    return self.dict:get(READS) ~= nil
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
        keep(self, IS_READ, last)
    end
    self:stop()
end

function methods:stop()
    self.dict:delete(READS)
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
    return list, name_of(last - self.days + 1), self.dict:get(IS_READ) == last and not self.dict:get(IS_FULL)
end

-- `dict`: as ngx.shared has them; `folder`: where the days are; `days`: how many are looked at, today included; `now`:
-- tells the time in seconds; `read`: as usage/day_sums.lua, but without sums where that failed; `give_way`: lets others
-- have their turn.
function _M.new(options)
    options.life = (options.days + 1) * DAY
    return setmetatable(options, { __index = methods })
end

return _M
