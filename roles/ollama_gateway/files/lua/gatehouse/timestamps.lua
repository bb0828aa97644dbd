-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Times as the key file writes them: RFC 3339 in UTC to the second, "2027-01-01T00:00:00Z".

local ffi = require "ffi"

local C, cast = ffi.C, ffi.cast

local BYTES = ffi.typeof("const uint8_t *")
local FORM = "0000-00-00T00:00:00Z"
local form = cast(BYTES, FORM)
local ZERO = string.byte("0")

ffi.cdef [[
struct gatehouse_tm { int second, minute, hour, day, month, year, weekday, yearday, dst; long offset; char *zone; };
long timegm(struct gatehouse_tm *time);
]]
local time = ffi.new("struct gatehouse_tm")

local _M = {}

local function has_form(bytes)
    for i = 0, #FORM - 1 do
        local sign = bytes[i] - ZERO
        if form[i] ~= ZERO and bytes[i] ~= form[i] or form[i] == ZERO and (sign < 0 or sign > 9) then
            return false
        end
    end
    return true
end

local function two(bytes, place)
    return (bytes[place] - ZERO) * 10 + bytes[place + 1] - ZERO
end

-- Returns the seconds since 1970 of the time in the 20 bytes from this place in memory on; or nil and an error.
function _M.at(bytes)
    if not has_form(bytes) then
        return nil, "failed to read the time: it is not of the form 2027-01-01T00:00:00Z"
    end
    local year, month, day = two(bytes, 0) * 100 + two(bytes, 2), two(bytes, 5), two(bytes, 8)
    local hour, minute, second = two(bytes, 11), two(bytes, 14), two(bytes, 17)
    time.year, time.month, time.day = year - 1900, month - 1, day
    time.hour, time.minute, time.second = hour, minute, second
    local seconds = tonumber(C.timegm(time))
    -- libc takes what there is not for a later moment.
    if time.month ~= month - 1 or time.day ~= day
        or time.hour ~= hour or time.minute ~= minute or time.second ~= second then
        return nil, "failed to read the time: there is no such day or hour"
    end
    return seconds
end

return _M
