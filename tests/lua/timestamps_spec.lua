-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local ffi = require "ffi"
local timestamps = require "gatehouse.timestamps"

local function parse(text)
    return timestamps.at(ffi.cast("const uint8_t *", text))
end

describe("a time", function()
    it("becomes seconds since 1970", function()
        local times = {
            ["1970-01-01T00:00:00Z"] = 0,
            ["2000-02-29T23:59:59Z"] = 951868799,
            ["2027-01-01T00:00:00Z"] = 1798761600,
            ["2038-01-19T03:14:08Z"] = 2147483648,
            ["2100-03-01T00:00:00Z"] = 4107542400,
            ["1969-12-31T23:59:59Z"] = -1,
        }
        for text, seconds in pairs(times) do
            assert.are.equal(seconds, parse(text))
        end
    end)

    it("follows the day before for every day of 400 years", function()
        local days, before = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }, nil
        for year = 1900, 2299 do
            for month = 1, 12 do
                local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
                for day = 1, days[month] + (leap and 1 or 0) do
                    local now = parse(("%04d-%02d-%02dT00:00:00Z"):format(year, month, day))
                    assert(not before or now == before + 86400)
                    before = now
                end
            end
        end
    end)

    it("is refused when there is no such moment, or in another form", function()
        for _, text in ipairs {
            "2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z", "2027-00-01T00:00:00Z", "2027-01-00T00:00:00Z",
            "2027-04-31T00:00:00Z", "2100-02-29T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z",
            "2027-01-01T00:00:60Z", "2027-01-01", "2027-01-01T00:00:00", "2027-01-01T00:00:00+00:00",
            "2027-01-01 00:00:00Z", "2027-01-01t00:00:00z", "27-01-01T00:00:00Z", "2027-01-01T00:00:0:Z",
            "2027-01-01T00:00:0/Z", "never", "",
        } do
            assert.is_nil((parse(text .. (" "):rep(20))), text)
        end
    end)
end)
