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

function LOOKS.requests_per_minute(self, scope, moment)
    local current = self.counters:taken(scopes.requests(scope, moment.minute))
    local previous = self.counters:taken(scopes.requests(scope, moment.minute - 1))
    return current + windows.rest(moment, previous),
        windows.seconds_until_room(moment, scope.limits.requests_per_minute, current, previous)
end

function LOOKS.concurrent_requests(self, scope)
    return self.slots:taken(scope.name), 0
end

function LOOKS.tokens_per_minute(self, scope, moment)
    local current = self.counters:value(scopes.tokens(scope, moment.minute))
    local previous = self.counters:value(scopes.tokens(scope, moment.minute - 1))
    return current + windows.rest(moment, previous),
        windows.seconds_until_room(moment, scope.limits.tokens_per_minute, current, previous)
end

function LOOKS.tokens_per_day(self, scope, moment)
    return self.counters:value(scopes.tokens_of_day(scope, moment.day)), windows.seconds_until_day(moment)
end

local IN_ORDER = { "requests_per_minute", "concurrent_requests", "tokens_per_minute", "tokens_per_day" }

local function look(self, scope, name, moment)
    local limit = scope.limits[name]
    local used, reset = LOOKS[name](self, scope, moment)
    return { name = name, model = scope.pattern, limit = limit, used = max(used, 0),
        remaining = max(limit - max(used, 0), 0), reset = reset }
end

-- A list of {name, model, limit, used, remaining, reset}, those of the client first; `model`: the pattern of a limit on
-- models; `reset`: in whole seconds, when there is room again, 0 if there is some; of a day when it ends.
function methods:state(client, limits)
    local list, moment = {}, windows.at(self.now())
    for _, scope in ipairs(scopes.of(client, limits)) do
        for _, name in ipairs(IN_ORDER) do
            if scope.limits[name] then
                list[#list + 1] = look(self, scope, name, moment)
            end
        end
    end
    return list
end

local KINDS = {
    requests = { "requests_per_minute" },
    tokens = { "tokens_per_minute", "tokens_per_day" },
}

-- Where less remains, and where that takes longer to change.
local function is_tighter(one, other)
    if one.remaining ~= other.remaining then
        return one.remaining < other.remaining
    end
    return one.reset > other.reset
end

-- The headers of an answer, by their names: those of OpenAI, each about the limit of its kind of which least remains;
-- none where there is no such limit.
function methods:headers(client, limits, model)
    local headers, moment = {}, windows.at(self.now())
    local all = scopes.of(client, limits, model or "")
    for kind, names in pairs(KINDS) do
        local tightest
        for _, scope in ipairs(all) do
            for _, name in ipairs(names) do
                local entry = scope.limits[name] and look(self, scope, name, moment)
                if entry and (not tightest or is_tighter(entry, tightest)) then
                    tightest = entry
                end
            end
        end
        if tightest then
            headers["x-ratelimit-limit-" .. kind] = format("%d", tightest.limit)
            headers["x-ratelimit-remaining-" .. kind] = format("%d", tightest.remaining)
            headers["x-ratelimit-reset-" .. kind] = windows.duration(tightest.reset)
        end
    end
    return headers
end

-- `now`: tells the time in seconds.
function _M.new(counters, slots, now)
    return setmetatable({ counters = counters, slots = slots, now = now }, { __index = methods })
end

return _M
