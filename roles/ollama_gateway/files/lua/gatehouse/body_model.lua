-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads which models a JSON body names. Ollama takes keys in any case and the last one wins, so a second spelling of a
-- key is refused, and so is any but the one in small letters.

local json_scanner = require "gatehouse.json_scanner"
local refusal = require "gatehouse.refusal"

local find, gsub, lower = string.find, string.gsub, string.lower

local _M = {}

-- As Go folds the keys that are looked for: two signs beyond ASCII are letters in disguise.
local function fold(key)
    if not find(key, "[%u\128-\255]") then
        return key
    end
    return lower((gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k")))
end

local function is_one_of(fields, field)
    for _, one in ipairs(fields) do
        if one == field then
            return true
        end
    end
    return false
end

local function member(scanner, key, found)
    local field = fold(key)
    if not is_one_of(found.fields, field) then
        found.more = found.more or not is_one_of(found.only, key)
        return scanner:skip()
    end
    if key ~= field or found.seen[field] then
        refusal.fail("the body names the model twice, or in another spelling than small letters")
    end
    found.seen[field] = true
    local name = scanner:string()
    if name and name ~= "" then
        found.names[#found.names + 1] = name
    end
end

-- `next_piece` returns the body piece by piece, nil at its end; `fields`: the members that name a model; `only`: those
-- that may stand beside them, all if it is nil. Returns the names, and whether there are members beyond these; or nil
-- and what is wrong, a sentence that quotes nothing.
function _M.read(next_piece, fields, only)
    local found = { fields = fields, only = only or {}, seen = {}, names = {}, more = false }
    local ok, err = json_scanner.scan(next_piece, member, found)
    if not ok then
        return nil, err
    end
    return found.names, only ~= nil and found.more
end

return _M
