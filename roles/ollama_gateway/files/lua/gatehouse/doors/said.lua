-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What a server's door says of itself, as others need it. What it says is believed as far as it makes sense: a door
-- that lies can only make itself more or less liked.

local cjson = require "cjson.safe"
local model_names = require "gatehouse.model_names"

local concat, floor, huge, max, min = table.concat, math.floor, math.huge, math.max, math.min
local gmatch = string.gmatch

-- No server has more.
local MOST_NAMES = 5000
local MOST_CAPACITY = 10000

local _M = {}

local function is_count(value)
    return type(value) == "number" and value >= 0 and value < huge
end

local function names_of(list)
    local names, seen = {}, {}
    for _, model in ipairs(type(list) == "table" and list or {}) do
        local name = type(model) == "table" and (model.name or model.model)
        name = type(name) == "string" and model_names.listed(name)
        if name and not seen[name] and #names < MOST_NAMES then
            seen[name], names[#names + 1] = true, name
        end
    end
    return names, seen
end

-- How many requests there are, by all gateways, and the models that they are about.
local function in_flight(said, names, seen)
    local total = 0
    for model, count in pairs(type(said) == "table" and said or {}) do
        if is_count(count) and count > 0 then
            total = total + floor(count)
            if model ~= "" and not seen[model] and #names < MOST_NAMES then
                seen[model], names[#names + 1] = true, model
            end
        end
    end
    return total
end

-- `text`: the answer of a door. Returns {draining, capacity, total, warm, loaded, tags_hash}, of which `warm` is a list
-- of names, and the names of all models, nil where it left them out; or nil and an error.
function _M.read(text)
    local said = cjson.decode(text)
    if type(said) ~= "table" then
        return nil, "the answer is no JSON object"
    end
    local warm, seen = names_of(said.ps)
    local loaded = #warm
    return {
        draining = said.draining == true,
        capacity = is_count(said.capacity) and max(1, floor(min(said.capacity, MOST_CAPACITY))) or 1,
        total = in_flight(said.in_flight, warm, seen),
        warm = warm,
        loaded = loaded,
        tags_hash = type(said.tags_hash) == "string" and said.tags_hash or "",
    }, type(said.tags) == "table" and names_of(said.tags) or nil, said.ps
end

-- Texts for memory that workers share, and back.
function _M.joined(names)
    return concat(names, "\n")
end

function _M.set(text)
    local set = {}
    for name in gmatch(text or "", "[^\n]+") do
        set[name] = true
    end
    return set
end

return _M
