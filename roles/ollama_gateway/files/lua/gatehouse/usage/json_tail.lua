-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads an object of JSON from its end, of which only the last bytes may be there. Outside of a string, on the way
-- back, each quote ends one; within it each quote but the first has an odd number of backslashes before it. So what is
-- text, and how deep something stands, is as sure as on the way forth: no text can pose as a member, and what stands in
-- objects within is none of this one.

local byte, match, sub = string.byte, string.match, string.sub

local QUOTE, BACKSLASH, COMMA = byte('"\\,', 1, -1)
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = byte("{}[]", 1, -1)

local _M = {}

-- Where the string begins that ends at `position`; 0 if that is not in the text.
local function string_start(text, position)
    repeat
        position = position - 1
        local backslashes = 0
        if byte(text, position) == QUOTE then
            while byte(text, position - 1 - backslashes) == BACKSLASH do
                backslashes = backslashes + 1
            end
            if backslashes % 2 == 0 then
                return position
            end
        end
    until position < 1
    return 0
end

local function note(found, member)
    local key, value = match(member, '^%s*"([%w_]+)"%s*:%s*(.-)%s*$')
    -- Of two with the same name the last one counts, as it does for Go.
    if key and not found[key] then
        found[key] = value
    end
end

local function has_all(found, wanted)
    for _, key in ipairs(wanted) do
        if not found[key] then
            return false
        end
    end
    return #wanted > 0
end

-- `stop`: where the object ends, at its bracket; `wanted`: members after which no others are looked for. Returns the
-- text of the values of those that are whole, by name; and where the value ends of one whose beginning is not there.
function _M.members(text, stop, wanted)
    local found = {}
    if byte(text, stop) ~= CLOSE_OBJECT then
        return found
    end
    local depth, position, last = 1, stop - 1, stop - 1
    while position > 0 do
        local sign = byte(text, position)
        if sign == QUOTE then
            position = string_start(text, position)
        elseif sign == CLOSE_OBJECT or sign == CLOSE_ARRAY then
            depth = depth + 1
        elseif sign == OPEN_OBJECT or sign == OPEN_ARRAY then
            depth = depth - 1
        end
        if depth == 0 or depth == 1 and sign == COMMA then
            note(found, sub(text, position + 1, last))
            last = position - 1
            if depth == 0 or has_all(found, wanted) then
                return found
            end
        end
        position = position - 1
    end
    return found, last
end

return _M
