-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counts in memory that all workers share, where one step changes one number and tells what it is then. A request that
-- has several limits is counted at first as pending at each, then as settled or nowhere. One number holds both kinds,
-- so it tells which of three cases this is:
--
-- - with all that are pending there is room: this one has a place, for whoever comes later sees it;
-- - without any that are pending there is none: this one has no place;
-- - else it depends on others that are about to be settled or withdrawn. It has to withdraw and try again.
--
-- So never more than the limit are settled, and nobody is refused because of one that is refused itself.

local floor = math.floor

-- As many as no gateway has at a time.
local PENDING = 2 ^ 30
-- In seconds: how often counts that have ended are looked for to make room.
local FLUSH = 1

local _M = {}
local methods = {}

-- How many are settled, and how many pending. What a worker that was killed between two steps took too little or gave
-- back too often makes either of them negative.
local function parts(value)
    local pending = floor((value + PENDING / 2) / PENDING)
    return value - pending * PENDING, pending
end

-- Not `incr` with a first value, nor `add`, which throw out others' counts if memory is short: that would open the gate
-- to them. Counts that have ended are not thrown out by themselves as long as an older one has no end.
local function create(self, key, life)
    local ok, err = self.dict:safe_add(key, 0, life)
    if ok or err ~= "no memory" then
        return true
    end
    local now = self.now()
    if now < self.flushed + FLUSH and now >= self.flushed then
        return nil, "there is no memory for more counts"
    end
    self.flushed = now
    self.dict:flush_expired()
    ok, err = self.dict:safe_add(key, 0, life)
    return (ok or err ~= "no memory") or nil, "there is no memory for more counts"
end

-- Returns the number of this key after `by` was added; or nil and an error. `life`: in seconds, how long from now a new
-- count is kept; nil for ever.
function methods:add(key, by, life)
    local value = self.dict:incr(key, by)
    if value then
        return value
    end
    local ok, err = create(self, key, life)
    value = ok and self.dict:incr(key, by)
    if value then
        return value
    end
    return nil, err or "a count ended at once"
end

-- Returns the number of this key, which exists from now on; or nil and an error.
function methods:ensure(key, life)
    local value = self.dict:get(key)
    if value then
        return value
    end
    local ok, err = create(self, key, life)
    return ok and 0 or nil, err
end

-- The number of this key.
function methods:value(key)
    return self.dict:get(key) or 0
end

-- How many are settled or pending.
function methods:taken(key)
    local settled, pending = parts(self:value(key))
    return settled + pending
end

-- Counts one as pending. Returns whether it has a place; nil if that depends on others; and how many are settled. Or
-- nil, nil and an error.
function methods:reserve(key, room, life)
    local value, err = self:add(key, PENDING, life)
    if not value then
        return nil, nil, err
    end
    local settled, pending = parts(value)
    if settled + pending <= room then
        return true, settled
    elseif settled >= room then
        return false, settled
    end
    return nil, settled
end

function methods:withdraw(key)
    self.dict:incr(key, -PENDING)
end

function methods:settle(key)
    self.dict:incr(key, 1 - PENDING)
end

-- Gives back so many that were settled.
function methods:give_back(key, count)
    local value = self.dict:incr(key, -count)
    if not value then
        return
    end
    local settled, pending = parts(value)
    -- A worker was killed when it had written down what it was about to take.
    if settled + pending < 0 then
        self.dict:incr(key, -settled - pending)
    end
end

-- `dict`: as ngx.shared has them; `now`: tells the time in seconds.
function _M.new(dict, now)
    return setmetatable({ dict = dict, now = now, flushed = 0 }, { __index = methods })
end

return _M
