-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What servers say of themselves: whether they answer, which models they have, and which of these are loaded.

local cjson = require "cjson.safe"
local model_names = require "gatehouse.model_names"

local concat, huge = table.concat, math.huge
local gmatch = string.gmatch

-- No server has more, and what has cannot fill the memory.
local MOST_NAMES, MOST_LOADED = 5000, 200

local _M = {}

local function models_of(text)
    local said = text and cjson.decode(text)
    local models = type(said) == "table" and said.models
    return type(models) == "table" and models or nil
end

local function name_of(model)
    local name = type(model) == "table" and model.name
    return type(name) == "string" and model_names.listed(name) or nil
end

local function bytes(value)
    return type(value) == "number" and value >= 0 and value < huge and value or 0
end

-- The names in an answer of /api/tags, each with a newline behind it; nil if it is none.
function _M.names(text)
    local models = models_of(text)
    if not models then
        return nil
    end
    local names = {}
    for _, model in ipairs(models) do
        if #names < MOST_NAMES then
            names[#names + 1] = name_of(model)
        end
    end
    return concat(names, "\n") .. "\n"
end

-- The models of a list as /api/ps has it: `model`, `size`, `vram`. Each name once.
function _M.loaded_of(models)
    local loaded, seen = {}, {}
    for _, model in ipairs(type(models) == "table" and models or {}) do
        local name = name_of(model)
        if name and not seen[name] and #loaded < MOST_LOADED then
            seen[name] = true
            loaded[#loaded + 1] = { model = name, size = bytes(model.size), vram = bytes(model.size_vram) }
        end
    end
    return loaded
end

-- The same, of an answer of /api/ps.
function _M.loaded(text)
    return _M.loaded_of(models_of(text))
end

-- Looks at a server. `get`: asks it for a path, and returns status and body. Returns what is to be shown of it, and the
-- names of its models, nil if it did not say them.
function _M.look(get, now)
    local status, text = get("/api/ps")
    local is_up = status == 200
    local names
    if is_up then
        local tags_status, tags = get("/api/tags")
        names = tags_status == 200 and _M.names(tags) or nil
    end
    return { up = is_up and 1 or 0, at = now(), loaded = is_up and _M.loaded(text) or {} }, names
end

-- The set of all names in such texts.
function _M.set_of(texts)
    local set = {}
    for _, text in ipairs(texts) do
        for name in gmatch(text, "([^\n]+)\n") do
            set[name] = true
        end
    end
    return set
end

return _M
