-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Judges what a body of Ollama's own API asks for beside its model: how long a context, and how long the model is to
-- stay loaded. The other dialects cannot say either. What might be read as more than what is seen here is refused to a
-- client that has a limit on it.
--
-- Ollama takes the name of an option to the letter. It turns any number into a whole one, as the processor does where
-- that is out of range, and takes one below 4 as 4, where other programs take 0 as all that the model has. A time is a
-- number of seconds or what Go calls a duration, and means for ever if it is negative.

local json_scanner = require "gatehouse.json_scanner"

local floor, huge = math.floor, math.huge
local find, format, match = string.find, string.format, string.match

local NUMBER = "^%d+%.?%d*[eE]?[+-]?%d*$"
-- In nanoseconds, which are whole ones for Go. The sign of the third and the fourth looks the same.
local SECOND = 10 ^ 9
local UNITS = {
    ns = 1, us = 10 ^ 3, ["\194\181s"] = 10 ^ 3, ["\206\188s"] = 10 ^ 3, ms = 10 ^ 6,
    s = SECOND, m = 60 * SECOND, h = 3600 * SECOND,
}

local MOST_CONTEXT = "this client may ask for a context of %d tokens at the most (max_context)"
local MOST_TIME = "this client may keep a model loaded for %d seconds after a request at the most (keep_alive)"
local UNCLEAR = "%s of the body cannot be judged, and "

local _M = {
    -- The members of a body that body_model has to watch for this.
    WATCHED = { "options", "keep_alive" },
}

-- Returns the texts of all values of `num_ctx` in an object, in JSON; nil if it is none.
local function read_options(text)
    local texts, pieces = {}, { text }
    local ok = json_scanner.scan(function() return table.remove(pieces) end, function(scanner, key)
        if key == "num_ctx" then
            texts[#texts + 1] = scanner:raw(#text)
        else
            scanner:skip()
        end
    end)
    return ok and texts
end

-- Returns the number that a text of JSON is for every reader, 0 if it is null; or nil.
local function read_context(text)
    if text == "null" then
        return 0
    end
    local number = find(text, NUMBER) and tonumber(text)
    return number and number >= 1 and number == floor(number) and number or nil
end

-- Returns nil; or what is wrong with these values of `options`.
local function problem_of_options(values, limit)
    local sentence = format(MOST_CONTEXT, limit)
    local unclear = format(UNCLEAR, "options.num_ctx") .. sentence
    local texts = {}
    for _, value in ipairs(values) do
        local found = value == "null" and {} or read_options(value)
        if not found then
            return unclear
        end
        for _, text in ipairs(found) do
            texts[#texts + 1] = text
        end
    end
    if values.is_cut or #texts > 1 then
        return unclear
    end
    local context = texts[1] and read_context(texts[1])
    if texts[1] and not context then
        return unclear
    end
    return context and context > limit and sentence or nil
end

-- Returns the nanoseconds of a duration as Go reads it; or nil.
local function read_duration(text)
    if find(text, "^%-") then
        return huge
    end
    text = match(text, "^%+?(.*)$")
    if text == "0" then
        return 0
    end
    local total, position = 0, 1
    while position <= #text do
        local number, unit, behind = match(text, "^([%d.]+)([^%d.]+)()", position)
        number = number and tonumber(find(number, "%d") and find(number, "^%d*%.?%d*$") and number)
        if not number or not UNITS[unit] then
            return nil
        end
        total, position = total + number * UNITS[unit], behind
    end
    return text ~= "" and floor(total) or nil
end

-- Returns the nanoseconds that a text of JSON means; or nil.
local function read_time(text)
    -- With an escape it could be anything.
    local duration = match(text, '^"([^"\\]*)"$')
    if duration then
        return read_duration(duration)
    elseif find(text, "^%-%d") then
        return huge
    end
    local number = find(text, NUMBER) and tonumber(text)
    return number and number * SECOND
end

local function problem_of_keep_alive(values, limit)
    local sentence = format(MOST_TIME, limit)
    local text = values[1]
    local time = text == "null" and 0 or text and read_time(text)
    if values.is_cut or #values > 1 or text and not time then
        return format(UNCLEAR, "keep_alive") .. sentence
    end
    return time and time > limit * SECOND and sentence or nil
end

-- `limits`: as limits/clients.lua reads them; `values`: as body_model found them, of each member that is watched the
-- texts of its values in JSON, and `is_cut` if there are more or longer ones. Returns nil; or a sentence for the client
-- that names the limit that its body is beyond.
function _M.problem(limits, values)
    return limits.max_context and problem_of_options(values.options or {}, limits.max_context)
        or limits.keep_alive and problem_of_keep_alive(values.keep_alive or {}, limits.keep_alive)
        or nil
end

return _M
