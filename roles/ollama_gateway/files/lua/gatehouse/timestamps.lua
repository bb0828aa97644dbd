-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Times as the key file writes them: RFC 3339 in UTC to the second, "2027-01-01T00:00:00Z".

local ffi = require "ffi"

local cast = ffi.cast
local floor = math.floor
local byte = string.byte

local BYTES = ffi.typeof("const uint8_t *")
local FORM = "0000-00-00T00:00:00Z"
local form = cast(BYTES, FORM)
local ZERO = byte("0")
local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local _M = {}

local function days_of_month(year, month)
    local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    return month == 2 and leap and 29 or DAYS[month]
end

-- Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March: the leap day comes last.
local function days_since_epoch(year, month, day)
    if month <= 2 then
        year, month = year - 1, month + 12
    end
    local leap_days = floor(year / 4) - floor(year / 100) + floor(year / 400)
    return 365 * year + leap_days + floor((153 * (month - 3) + 2) / 5) + day - 719469
end

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
    if month < 1 or month > 12 or day < 1 or day > days_of_month(year, month)
        or hour > 23 or minute > 59 or second > 59 then
        return nil, "failed to read the time: there is no such day or hour"
    end
    return days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

return _M
