-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Lists of models, and taking those out that a client may not use. What stays, stays byte for byte.

local json_scanner = require "gatehouse.json_scanner"
local refusal = require "gatehouse.refusal"

local sub = string.sub
local concat, remove = table.concat, table.remove

local NAMES = { model = true, name = true, id = true }

local _M = {}

-- The names of a model that an element says, of which some may be the same.
local function read_names(scanner)
    local names = {}
    scanner:object(function(_, key)
        if NAMES[key] and scanner:is('"') then
            names[#names + 1] = scanner:string()
        else
            scanner:skip()
        end
    end)
    return names
end

-- Goes through a list of models. `text`: a JSON object; `key`: its member that holds the list; `entry`: gets the names
-- that an element says, and its text; `list`: gets the places of the list's brackets, and nothing where there is null,
-- say, in the place of a list. Returns true; or nil and what is wrong.
function _M.each(text, key, entry, list)
    local found
    local pieces = { text }
    local ok, err = json_scanner.scan(function() return remove(pieces) end, function(scanner, member)
        if member ~= key then
            return scanner:skip()
        elseif found then
            refusal.fail("the answer has two lists")
        end
        found = true
        if not scanner:is("[") then
            return scanner:skip()
        end
        local first = scanner:offset() + 1
        scanner:array(function()
            scanner:is("{")
            local from = scanner:offset() + 1
            local names = read_names(scanner)
            entry(names, sub(text, from, scanner:offset()))
        end)
        list(first, scanner:offset())
    end)
    if not ok or not found then
        return nil, err or "the answer has no list"
    end
    return true
end

-- Returns the text without the models for which `may` returns false, by any of their names, and without what names
-- none; or nil and what is wrong.
function _M.filter(text, key, may)
    local first, last
    local kept = {}
    local ok, err = _M.each(text, key, function(names, entry)
        local allowed = names[1] ~= nil
        for _, name in ipairs(names) do
            allowed = may(name) and allowed
        end
        if allowed then
            kept[#kept + 1] = entry
        end
    end, function(from, to) first, last = from, to end)
    if not ok then
        return nil, err
    end
    if not first then
        return text
    end
    return sub(text, 1, first) .. concat(kept, ",") .. sub(text, last)
end

return _M
