-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counts failed tries to come in, by address and by the name that was tried, in memory that all workers share. A count
-- begins with a first try and ends a minute later. A try counts before it is judged, or many at once would all be
-- judged before the first has failed; one that was right is taken back.
--
-- Counts are never thrown out of that memory to make room for others: whose count finds no room has to wait.

local ceil, floor, max = math.ceil, math.floor, math.max
local sub = string.sub

local WINDOW = 60
-- Of one name, from all addresses together, as many as from this many addresses: more would be too many guesses at one
-- password, and fewer would let anybody shut a client out.
local ADDRESSES = 10
-- What longer names than a client may have count for: nothing.
local LONGEST_NAME = 100
-- Names are counted by so many bytes of a keyed digest: all counts that there can be have room, whatever is tried, and
-- nobody can choose whose count a made-up name shares.
local DIGEST = 2
-- One number holds both: how many failed, and in steps of this how many are under way. So both change in one step.
local UNDER_WAY = 2 ^ 32

local _M = {}
local methods = {}

-- When a count ends, in milliseconds; nil if there is none. This tells it from those before and after it.
local function end_of(self, dict, key)
    local seconds = dict:ttl(key)
    return seconds and floor((self.now() + seconds) * 1000 + 0.5)
end

-- Counts a try. Returns what `finish` needs; or nil and the seconds to wait, 0 where others have to be finished first.
local function open(self, dict, key, limit)
    local is_new, err = dict:safe_add(key, 0, WINDOW)
    if not is_new and err == "no memory" then
        return nil, WINDOW
    end
    local count = dict:incr(key, UNDER_WAY)
    local ends = count and end_of(self, dict, key)
    if not ends then
        -- It ended between two of these calls: the next one is the first of another minute.
        return nil, 0
    end
    local failed = count % UNDER_WAY
    if failed + floor(count / UNDER_WAY) <= limit then
        return { dict = dict, key = key, ends = ends }
    end
    dict:incr(key, -UNDER_WAY)
    return nil, failed >= limit and max(1, ceil(ends / 1000 - self.now())) or 0
end

-- Begins a try. Returns what `finish` takes; or nil and the seconds after which a further try is allowed, 0 where that
-- depends on tries that are under way. `address`: its bytes; `user`: nil where no name was tried.
function methods:begin(address, user)
    local tries = {}
    if self.limit == 0 then
        return tries
    end
    local wait
    tries[1], wait = open(self, self.addresses, address, self.limit)
    if tries[1] and user and #user <= LONGEST_NAME then
        tries[2], wait = open(self, self.names, sub(self.sign(user), 1, DIGEST), self.limit * ADDRESSES)
    end
    if wait then
        self:finish(tries, false)
        return nil, wait
    end
    return tries
end

-- Ends a try. One whose minute is over meanwhile, or forgotten, has counted in that and in no other.
function methods:finish(tries, has_failed)
    for _, try in ipairs(tries) do
        if end_of(self, try.dict, try.key) == try.ends then
            try.dict:incr(try.key, has_failed and 1 - UNDER_WAY or -UNDER_WAY)
        end
    end
end

function methods:forget()
    self.addresses:flush_all()
    self.names:flush_all()
end

-- `addresses`, `names`: as ngx.shared has them, the second with room for 65,536 counts; `sign`: a function that returns
-- a keyed digest of a text; `now`: one that returns the time in seconds; `limit`: failures a minute of one address, 0
-- for no limit.
function _M.new(options)
    return setmetatable(options, { __index = methods })
end

return _M
