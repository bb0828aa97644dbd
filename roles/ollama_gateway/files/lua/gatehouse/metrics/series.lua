-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counters and histograms of all workers. Each worker counts in tables of its own, which are added now and then to a
-- dictionary that all share: there they outlive a reload, and a worker that is killed loses what it had not added yet.
-- Beside the values stands an index of them, since to list the keys of a dictionary would hold up everybody. There is
-- room for so many lines and no more; what finds none is dropped and counted.

local families = require "gatehouse.metrics.families"

-- As long as it stays, what a dictionary says is understood. To be changed with names, labels or buckets.
local FORM = 1

local _M = {}
local methods = {}

local function value_key(family, labels)
    return family.name .. "{" .. labels .. "}"
end

local function drop(self, count)
    self.dropped = self.dropped + count
end

-- The table in which this worker counts; nil if it has too many.
local function waiting(self, family, labels)
    local of_family = self.pending[family.name]
    local found = of_family[labels]
    if not found then
        if self.count >= self.most then
            return drop(self, 1)
        end
        found = { sum = 0 }
        of_family[labels], self.count = found, self.count + 1
    end
    return found
end

-- Adds to a counter. `labels`: their text.
function methods:add(name, labels, value)
    local found = waiting(self, self.families[name], labels)
    if found then
        found.sum = found.sum + value
    end
end

-- Adds what was observed to a histogram.
function methods:observe(name, labels, value)
    local family = self.families[name]
    local found = waiting(self, family, labels)
    if not found then
        return
    end
    local bucket = 1
    while family.buckets[bucket] and value > family.buckets[bucket] do
        bucket = bucket + 1
    end
    found[bucket] = (found[bucket] or 0) + 1
    found.sum = found.sum + value
end

local function index(self, family, labels)
    local dict = self.dict
    local place = dict:incr("count:" .. family.name, 1)
    return place and dict:safe_add("index:" .. family.name .. ":" .. place, labels)
end

-- Makes sure that there are a value and an entry of the index. Returns whether there are.
local function admit(self, family, labels)
    local known = self.known[family.name]
    if known[labels] then
        return true
    end
    local dict, key = self.dict, value_key(family, labels)
    if dict:get(key) == nil then
        local cost = families.lines_of(family)
        if (dict:incr("lines", cost) or self.most + 1) > self.most then
            dict:incr("lines", -cost)
            return false
        end
        local ok, err = dict:safe_add(key, 0)
        if not ok or not index(self, family, labels) then
            dict:incr("lines", -cost)
            -- Where another worker was faster all is well.
            if err ~= "exists" then
                return false
            end
        end
    end
    known[labels] = true
    return true
end

local function increase(self, key, by)
    if by ~= 0 and not self.dict:incr(key, by) then
        self.dict:safe_add(key, 0)
        if not self.dict:incr(key, by) then
            drop(self, 1)
        end
    end
end

local function add_to_shared(self, family, labels, found)
    if not admit(self, family, labels) then
        return drop(self, 1)
    end
    local key = value_key(family, labels)
    increase(self, key, found.sum)
    for bucket = 1, family.buckets and #family.buckets + 1 or 0 do
        increase(self, key .. bucket, found[bucket] or 0)
    end
end

local function empty(names)
    local tables = {}
    for name in pairs(names) do
        tables[name] = {}
    end
    return tables
end

-- Adds what this worker counted to what all did. `give_way`: called with the number of lines that were added, may let
-- others have their turn.
function methods:flush(give_way)
    local pending = self.pending
    self.pending, self.count = empty(self.families), 0
    for name, of_family in pairs(pending) do
        for labels, found in pairs(of_family) do
            add_to_shared(self, self.families[name], labels, found)
            if give_way then
                give_way(families.lines_of(self.families[name]))
            end
        end
    end
    if self.dropped > 0 then
        local dropped = self.dropped
        self.dropped = 0
        self.dict:incr("dropped", dropped)
    end
end

-- Returns how many lines there are, and how many observations were dropped.
function methods:size()
    return self.dict:get("lines"), self.dict:get("dropped")
end

-- Calls `write` with the lines of all that was counted, in pieces, and with how many there are in each.
function methods:show(write)
    local dict = self.dict
    for _, family in ipairs(self.order) do
        local count = dict:get("count:" .. family.name)
        if count > 0 then
            write(families.head(family.name, family.type, family.help), 2)
        end
        for place = 1, count do
            local labels = dict:get("index:" .. family.name .. ":" .. place)
            -- Nil where a worker was killed in between.
            if labels then
                local key = value_key(family, labels)
                if family.buckets then
                    local counts = {}
                    for bucket = 1, #family.buckets + 1 do
                        counts[bucket] = dict:get(key .. bucket) or 0
                    end
                    write(families.histogram(family, labels, counts, dict:get(key) or 0), #counts + 2)
                else
                    write(families.line(family.name, labels, dict:get(key) or 0), 1)
                end
            end
        end
    end
end

-- `dict`: as ngx.shared has them; `most`: how many lines there may be. To be called before there are workers.
function _M.new(dict, most)
    if dict:get("form") ~= FORM then
        dict:flush_all()
        dict:set("form", FORM)
    end
    local by_name = {}
    for _, family in ipairs(families.COUNTED) do
        by_name[family.name] = family
        dict:safe_add("count:" .. family.name, 0)
    end
    dict:safe_add("lines", 0)
    dict:safe_add("dropped", 0)
    return setmetatable({
        dict = dict,
        most = most,
        families = by_name,
        order = families.COUNTED,
        pending = empty(by_name),
        known = empty(by_name),
        count = 0,
        dropped = 0,
    }, { __index = methods })
end

return _M
