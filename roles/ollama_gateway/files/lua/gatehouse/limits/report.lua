-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Tells how much of their limits clients have used.

local scopes = require "gatehouse.limits.scopes"
local windows = require "gatehouse.limits.windows"

local format = string.format
local max = math.max

local _M = {}
local methods = {}

-- What is used of a limit, and the seconds until there is room again, or until the day ends.
local LOOKS = {}

function LOOKS.requests_per_minute(counts, scope, moment)
    local current, previous = counts:requests(scope, moment.minute), counts:requests(scope, moment.minute - 1)
    return current + windows.rest(moment, previous),
        windows.seconds_until_room(moment, scope.limits.requests_per_minute, current, previous)
end

function LOOKS.concurrent_requests(counts, scope)
    return counts:slots_taken(scope), 0
end

function LOOKS.tokens_per_minute(counts, scope, moment)
    local current, previous = counts:tokens(scope, moment.minute), counts:tokens(scope, moment.minute - 1)
    return current + windows.rest(moment, previous),
        windows.seconds_until_room(moment, scope.limits.tokens_per_minute, current, previous)
end

function LOOKS.tokens_per_day(counts, scope, moment)
    return counts:tokens_of_day(scope, moment.day), windows.seconds_until_day(moment)
end

local IN_ORDER = { "requests_per_minute", "concurrent_requests", "tokens_per_minute", "tokens_per_day" }

local function look(self, scope, name, moment)
    local limit = scope.limits[name]
    local used, reset = LOOKS[name](self.counts, scope, moment)
    return { name = name, model = scope.pattern, limit = limit, used = max(used, 0),
        remaining = max(limit - max(used, 0), 0), reset = reset }
end

-- A list of {name, model, limit, used, remaining, reset}, those of the client first; `model`: the pattern of a limit on
-- models; `reset`: in whole seconds, when there is room again, 0 if there is some; of a day when it ends.
function methods:state(client, limits)
    local list, moment = {}, self.now()
    for _, scope in ipairs(scopes.of(client, limits)) do
        for _, name in ipairs(IN_ORDER) do
            if scope.limits[name] then
                list[#list + 1] = look(self, scope, name, moment)
            end
        end
    end
    return list
end

-- The headers of OpenAI, and the limits of which they tell.
local function headers_about(kind, ...)
    return { limit = "x-ratelimit-limit-" .. kind, remaining = "x-ratelimit-remaining-" .. kind,
        reset = "x-ratelimit-reset-" .. kind, ... }
end

local REQUESTS = headers_about("requests", "requests_per_minute")
local TOKENS = headers_about("tokens", "tokens_per_minute", "tokens_per_day")

-- Where less remains, and where that takes longer to change.
local function is_tighter(one, other)
    if one.remaining ~= other.remaining then
        return one.remaining < other.remaining
    end
    return one.reset > other.reset
end

-- That of which least remains: the one found before, or this limit of the scope.
local function tighter(self, scope, name, moment, found)
    local entry = scope.limits[name] and look(self, scope, name, moment)
    return entry and (not found or is_tighter(entry, found)) and entry or found
end

-- By recursion, as in limits/admission.lua.
local function tightest(self, all, i, kind, moment, found)
    local scope = all[i]
    if not scope then
        return found
    end
    found = tighter(self, scope, kind[1], moment, found)
    found = kind[2] and tighter(self, scope, kind[2], moment, found) or found
    return tightest(self, all, i + 1, kind, moment, found)
end

local function add_headers(headers, kind, entry)
    if entry then
        headers[kind.limit] = format("%d", entry.limit)
        headers[kind.remaining] = format("%d", entry.remaining)
        headers[kind.reset] = windows.duration(entry.reset)
    end
end

-- Adds the headers of an answer, by their names, to `headers` and returns them: those of OpenAI, each about the limit
-- of its kind of which least remains; none where there is no such limit.
function methods:headers(client, limits, model, headers)
    local all, moment = scopes.of(client, limits, model or ""), self.now()
    add_headers(headers, REQUESTS, tightest(self, all, 1, REQUESTS, moment))
    add_headers(headers, TOKENS, tightest(self, all, 1, TOKENS, moment))
    return headers
end

-- `counts`: tells by `requests(scope, minute)`, `tokens(scope, minute)`, `tokens_of_day(scope, day)` and
-- `slots_taken(scope)`; `now`: tells the moment, as limits/windows.lua has it.
function _M.new(counts, now)
    return setmetatable({ counts = counts, now = now }, { __index = methods })
end

return _M
