-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The minutes and days in which is counted. A minute slides: of what was counted in the one before, the share that is
-- less than a minute ago still counts, as if all had come evenly. It is rounded down: a client that comes as often as
-- it may, in even steps, is never refused. Days are those of UTC and do not slide.

local ceil, floor, max = math.ceil, math.floor, math.max
local format = string.format

local MINUTE, DAY = 60, 86400
-- In seconds: so long beyond its use a count is kept, for workers whose clocks are read at other moments.
local KEPT = 10
-- In seconds: as good as these numbers are.
local PRECISION = 1e-6

local _M = {}

-- The moment that this time, in seconds since 1970, is: the numbers of its `minute` and `day`, and how many seconds of
-- the minute have `passed`.
function _M.at(time)
    local minute = floor(time / MINUTE)
    return { time = time, minute = minute, day = floor(time / DAY), passed = time - minute * MINUTE }
end

-- For how many seconds from this moment on a count of that minute is needed, and one of that day.
function _M.life_of_minute(moment, minute)
    return (minute + 2) * MINUTE - moment.time + KEPT
end

function _M.life_of_day(moment)
    return (moment.day + 1) * DAY - moment.time + KEPT
end

-- What counts of the minute before.
function _M.rest(moment, previous)
    return floor(previous * (MINUTE - moment.passed) / MINUTE)
end

-- Whole seconds until less than the limit counts, if nothing is added; 0 if it is less now.
function _M.seconds_until_room(moment, limit, current, previous)
    if current + _M.rest(moment, previous) < limit then
        return 0
    end
    -- When it is as much as the limit: right after that it is less.
    local second
    if current < limit then
        second = MINUTE * (1 - (limit - current) / previous)
    else
        -- By then this minute is the one before.
        second = MINUTE * (2 - limit / current)
    end
    return max(floor(second - moment.passed + PRECISION) + 1, 1)
end

-- Whole seconds until midnight UTC.
function _M.seconds_until_day(moment)
    return max(ceil((moment.day + 1) * DAY - moment.time), 1)
end

-- Whole seconds, as OpenAI writes them into its headers, which is as Go does: 1s, 6m0s, 1h0m0s.
function _M.duration(seconds)
    local hours, minutes = floor(seconds / 3600), floor(seconds / 60) % 60
    if hours > 0 then
        return format("%dh%dm%ds", hours, minutes, seconds % 60)
    elseif minutes > 0 then
        return format("%dm%ds", minutes, seconds % 60)
    end
    return format("%ds", seconds)
end

return _M
