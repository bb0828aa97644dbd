-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Takes the models out of a list that a client may not use. What stays, stays byte for byte.

local json_scanner = require "gatehouse.json_scanner"
local refusal = require "gatehouse.refusal"

local sub = string.sub
local concat, remove = table.concat, table.remove

local NAMES = { model = true, name = true, id = true }

local _M = {}

-- An element stays if it names a model and every name of it may be seen.
local function read_element(scanner, may)
    local named, allowed = false, true
    scanner:object(function(_, key)
        if NAMES[key] and scanner:is('"') then
            named = true
            allowed = may(scanner:string()) and allowed
        else
            scanner:skip()
        end
    end)
    return named and allowed
end

-- `key`: the member of the object `text` that holds the list. Returns the text without the models for which `may`
-- returns false; or nil and what is wrong.
function _M.filter(text, key, may)
    local first, last, found
    local kept = {}
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
        first = scanner:offset() + 1
        scanner:array(function()
            scanner:is("{")
            local from = scanner:offset() + 1
            if read_element(scanner, may) then
                kept[#kept + 1] = sub(text, from, scanner:offset())
            end
        end)
        last = scanner:offset()
    end)
    if not ok or not found then
        return nil, err or "the answer has no list"
    end
    if not first then
        return text
    end
    return sub(text, 1, first) .. concat(kept, ",") .. sub(text, last)
end

return _M
