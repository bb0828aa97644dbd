-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Times as the key file writes them: RFC 3339 in UTC to the second, "2027-01-01T00:00:00Z".

local floor = math.floor
local match = string.match
local tonumber = tonumber

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

-- Returns seconds since 1970.
function _M.parse(text)
    local year, month, day, hour, minute, second = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)Z$")
    if not year then
        return nil, "failed to read the time: it is not of the form 2027-01-01T00:00:00Z"
    end
    year, month, day = tonumber(year), tonumber(month), tonumber(day)
    hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
    if month < 1 or month > 12 or day < 1 or day > days_of_month(year, month)
        or hour > 23 or minute > 59 or second > 59 then
        return nil, "failed to read the time: there is no such day or hour"
    end
    return days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

return _M
