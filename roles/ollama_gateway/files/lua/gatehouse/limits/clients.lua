-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads the limits of clients, as clients.json has them, strictly: one that we do not know may have been meant to stop
-- somebody.

local model_names = require "gatehouse.model_names"

local floor = math.floor
local format = string.format
local concat, sort = table.concat, table.sort

-- Those that hold for the models of a pattern as well, and those of a client alone.
local COUNTED = { "requests_per_minute", "concurrent_requests", "tokens_per_minute", "tokens_per_day" }
local ASKED = { "max_context", "keep_alive" }
-- Above this, sums of numbers are not exact any more.
local MOST = 10 ^ 12
-- To unload a model at once is no more than to unload it later.
local LEAST = { keep_alive = 0 }
local LONGEST_PATTERN = 1000

local _M = {}

local function set_of(...)
    local set = {}
    for _, names in ipairs({ ... }) do
        for _, name in ipairs(names) do
            set[name] = true
        end
    end
    return set
end

local OF_CLIENT, OF_MODELS = set_of(COUNTED, ASKED, { "models" }), set_of(COUNTED)

local function is_limit(name, value)
    return type(value) == "number" and value >= (LEAST[name] or 1) and value <= MOST and value == floor(value)
end

-- Returns a limits object without its `models`; or nil and an error.
local function read_numbers(source, known)
    if type(source) ~= "table" then
        return nil, "its limits must be an object"
    end
    local limits = {}
    for name, value in pairs(source) do
        if not known[name] then
            return nil, "it has a limit that is not known"
        elseif name ~= "models" then
            if not is_limit(name, value) then
                return nil, "its limits must be positive whole numbers"
            end
            limits[name] = value
        end
    end
    return limits
end

-- A text that tells these limits from all others, without their models.
local function text_of(limits)
    local parts = {}
    for _, names in ipairs({ COUNTED, ASKED }) do
        for _, name in ipairs(names) do
            parts[#parts + 1] = limits[name] and format("%d", limits[name]) or ""
        end
    end
    return concat(parts, ",")
end

-- Returns the list of {pattern, matcher, limits}, in the order of the patterns, and a text that tells it from all
-- others; or nil and an error.
local function read_models(source, matchers)
    if type(source) ~= "table" then
        return nil, "its limits of models must be an object"
    end
    local list, texts = {}, {}
    for pattern, of_models in pairs(source) do
        if type(pattern) ~= "string" or pattern == "" or #pattern > LONGEST_PATTERN then
            return nil, "its limits of models must each have a pattern"
        end
        local limits, err = read_numbers(of_models, OF_MODELS)
        if not limits then
            return nil, err
        end
        if next(limits) then
            matchers[pattern] = matchers[pattern] or model_names.matcher({ pattern })
            list[#list + 1] = { pattern = pattern, matcher = matchers[pattern], limits = limits }
        end
    end
    sort(list, function(one, other) return one.pattern < other.pattern end)
    for i, entry in ipairs(list) do
        texts[i] = #entry.pattern .. ":" .. entry.pattern .. text_of(entry.limits)
    end
    return list, concat(texts)
end

-- Returns a function that reads the limits of one client. It returns an object that has those of `requests_per_minute`,
-- `concurrent_requests`, `tokens_per_minute`, `tokens_per_day`, `max_context` and `keep_alive` that there are, and
-- `models`: a list of {pattern, matcher, limits}, empty if there are none; nil if there are no limits; or nil and an
-- error. Clients whose limits are the same share one object, and patterns that are the same one matcher.
function _M.reader()
    local matchers, known = {}, {}
    return function(source)
        if source == nil then
            return nil
        end
        local limits, err = read_numbers(source, OF_CLIENT)
        if not limits then
            return nil, err
        end
        local models, text = {}, ""
        if source.models ~= nil then
            models, text = read_models(source.models, matchers)
            if not models then
                return nil, text
            end
        end
        if not next(limits) and #models == 0 then
            return nil
        end
        text = text_of(limits) .. "|" .. text
        if not known[text] then
            limits.models = models
            known[text] = limits
        end
        return known[text]
    end
end

return _M
