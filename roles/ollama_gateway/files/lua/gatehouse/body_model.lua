-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads which models a JSON body names, and in the same pass what else is asked of it. Ollama takes keys in any case
-- and the last one wins, so a second spelling of a key that names a model is refused, and so is any but the one in
-- small letters.

local json_scanner = require "gatehouse.json_scanner"
local refusal = require "gatehouse.refusal"
local remembering = require "gatehouse.remembering"

local find, gsub, lower = string.find, string.gsub, string.lower

-- How much is kept of what a member that is watched says, all its values together.
local LONGEST_VALUE = 4096
local NONE = {}

local _M = {}

-- No key that is looked for is longer.
local SHORT = 32

-- As Go folds the keys that are looked for: two signs beyond ASCII are letters in disguise.
local fold = remembering.new(function(key)
    if not find(key, "[%u\128-\255]") then
        return key
    end
    return lower((gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k")))
end, SHORT)

-- The lists are those of routes and of modules: few, and the same for as long as the gateway runs. As sets, by the
-- list: LuaJIT compiles no way that has loops of a few steps.
local sets = setmetatable({}, { __mode = "k" })

local function is_one_of(fields, field)
    local set = sets[fields]
    if not set then
        set = {}
        for _, name in ipairs(fields) do
            set[name] = true
        end
        sets[fields] = set
    end
    return set[field] ~= nil
end

local function read_other(scanner, key, field, found)
    found.more = found.more or not is_one_of(found.only, key)
    if not is_one_of(found.watched, field) then
        return scanner:skip()
    end
    local values = found.values[field]
    local text = scanner:raw(LONGEST_VALUE - (values and values.size or 0))
    if not values then
        found.values[field] = { text, size = text and #text or 0, is_cut = not text }
    elseif text then
        values[#values + 1], values.size = text, values.size + #text
    else
        values.is_cut = true
    end
end

local function member(scanner, key, found)
    local field = fold(key)
    if not is_one_of(found.fields, field) then
        return read_other(scanner, key, field, found)
    end
    if key ~= field or found.seen[field] then
        refusal.fail("the body names the model twice, or in another spelling than small letters")
    end
    found.seen[field] = true
    local name = scanner:string()
    if name and name ~= "" then
        local names = found.names
        local place = #names + 1
        -- The first of the fields is the one that the server goes by.
        if field == found.fields[1] and place > 1 then
            names[place], place = names[1], 1
        end
        names[place] = name
    end
end

-- `next_piece` returns the body piece by piece, nil at its end; `fields`: the members that name a model; `only`: those
-- that may stand beside them, all if it is nil; `watched`: others to read; `first`: what comes before these pieces, if
-- there is something. Returns the names, that of the first field
-- before others, whether there are members beyond these, and what else was found; or nil and what is wrong, a sentence
-- that quotes nothing. Found are `values`: of each member that is watched and there the texts of its values, in their
-- order, with `is_cut` if there were more or longer ones than are kept; and `text_bytes`: how many bytes the body has
-- without images.
function _M.read(next_piece, fields, only, watched, first)
    local found = { fields = fields, only = only or NONE, watched = watched or NONE, seen = {}, names = {},
        more = false, values = {}, text_bytes = 0 }
    local ok, err, size, encoded = json_scanner.scan(next_piece, member, found, first)
    if not ok then
        return nil, err
    end
    found.text_bytes = size - encoded
    return found.names, only ~= nil and found.more, found
end

return _M
