-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What a client is told that is beyond a limit. A refusal is {limit, model, retry_after, is_spent_for_day,
-- is_worth_waiting, message}; `limit` is nil if it cannot be counted, and `model` the pattern of a limit on models.

local windows = require "gatehouse.limits.windows"

local max = math.max
local format = string.format

-- In seconds: when there may be memory.
local MEMORY_RETRY = 60

local SENTENCES = {
    requests_per_minute = "this client may make %d requests a minute",
    concurrent_requests = "this client may have %d requests at the same time",
    tokens_per_minute = "this client may use %d tokens a minute",
    tokens_per_day = "this client may use %d tokens a day of UTC",
}
-- Where it is not known which limit it would be.
local UNCOUNTED = "the requests of this client cannot be counted now"

local _M = {
    -- In seconds: when a slot may be free.
    SLOT_RETRY = 1,
}

-- `scope`: as limits/scopes.lua makes it; `name`: of its limit; `retry_after`: in seconds.
function _M.of(scope, name, retry_after, is_worth_waiting)
    local models = scope.pattern and " of models such as " .. scope.pattern or ""
    return {
        limit = name,
        model = scope.pattern,
        retry_after = retry_after,
        is_spent_for_day = name == "tokens_per_day",
        is_worth_waiting = is_worth_waiting or false,
        message = format(SENTENCES[name], scope.limits[name]) .. models .. " (" .. name .. ")",
    }
end

-- Of a request that cannot be counted. `retry_after`: in seconds; by default when there may be memory.
function _M.uncounted(retry_after)
    return { retry_after = retry_after or MEMORY_RETRY, is_spent_for_day = false, is_worth_waiting = false,
        message = UNCOUNTED }
end

local function longer(scope, name, wait, longest)
    return wait > (longest and longest.retry_after or 0) and _M.of(scope, name, wait) or longest
end

-- Of all limits on tokens that are used up the one that lasts longest; nil if there is none. `counts`: as
-- limits/report.lua takes them.
local function of_tokens(counts, all, moment)
    local longest
    for _, scope in ipairs(all) do
        local limits = scope.limits
        if limits.tokens_per_day and counts:tokens_of_day(scope, moment.day) >= limits.tokens_per_day then
            longest = longer(scope, "tokens_per_day", windows.seconds_until_day(moment), longest)
        end
        if limits.tokens_per_minute then
            longest = longer(scope, "tokens_per_minute", windows.seconds_until_room(moment, limits.tokens_per_minute,
                counts:tokens(scope, moment.minute), counts:tokens(scope, moment.minute - 1)), longest)
        end
    end
    return longest
end

local function of_requests(counts, all, moment)
    for _, scope in ipairs(all) do
        local limit = scope.limits.requests_per_minute
        local wait = limit and windows.seconds_until_room(moment, limit, counts:requests(scope, moment.minute),
            counts:requests(scope, moment.minute - 1)) or 0
        if wait > 0 then
            return _M.of(scope, "requests_per_minute", max(wait, 1))
        end
    end
end

local function of_slots(counts, all)
    for _, scope in ipairs(all) do
        local limit = scope.limits.concurrent_requests
        if limit and counts:slots_taken(scope) >= limit then
            return _M.of(scope, "concurrent_requests", _M.SLOT_RETRY, true)
        end
    end
end

-- The refusal of a request with these scopes; nil if all of them have room.
function _M.find(counts, all, moment)
    return of_tokens(counts, all, moment) or of_requests(counts, all, moment) or of_slots(counts, all)
end

return _M
