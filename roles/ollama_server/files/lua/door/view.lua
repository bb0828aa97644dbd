-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What a gateway is told of a server. Ollama's own lists are passed on as they came, byte for byte.

local cjson = require "cjson.safe"

local encode = cjson.encode
local concat = table.concat
local match = string.match

local _M = {}

-- The array `models` of an answer of /api/tags or /api/ps, as text; or nil and an error.
function _M.models_of(text)
    local array = match(text, '^%s*{%s*"models"%s*:%s*(%[.*%])%s*}%s*$')
    if array and type(cjson.decode(array)) == "table" then
        return array
    elseif match(text, '^%s*{%s*"models"%s*:%s*null%s*}%s*$') then
        return "[]"
    end
    return nil, "it is no list of models"
end

-- `state`: draining, capacity, in_flight (numbers by name), hash, tags and ps (arrays as text), gateways (nil, or when
-- each was last told that requests are taken, by its name); `known`: the hash of the tags that the gateway has, nil if
-- it has none.
function _M.text(state, known)
    local parts = {
        '{"draining":', state.draining and "true" or "false",
        ',"capacity":', state.capacity,
        ',"in_flight":', encode(state.in_flight),
        ',"tags_hash":', encode(state.hash),
    }
    if known ~= state.hash then
        parts[#parts + 1] = ',"tags":' .. state.tags
    end
    if state.gateways then
        parts[#parts + 1] = ',"gateways":' .. encode(state.gateways)
    end
    parts[#parts + 1] = ',"ps":' .. state.ps .. "}\n"
    return concat(parts)
end

-- The same where Ollama says nothing: what the door knows by itself, for whoever waits until nothing runs. `state` is
-- empty for gateways.
function _M.error(state)
    return encode({
        error = "Ollama does not answer",
        draining = state.draining,
        in_flight = state.in_flight,
    }) .. "\n"
end

return _M
