-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local windows = require "gatehouse.limits.windows"

describe("a minute that slides", function()
    it("counts of the minute before what is less than a minute ago, rounded down", function()
        for passed, rest in pairs({ [0] = 60, [0.5] = 59, [30] = 30, [59] = 1, [59.5] = 0 }) do
            assert.are.equal(rest, windows.rest(windows.at(6000 + passed), 60))
        end
    end)

    it("says to the second when there is room again", function()
        for limit = 1, 20 do
            for current = 0, 30 do
                for _, passed in ipairs({ 0, 0.25, 29, 59.99 }) do
                    local moment = windows.at(6000 + passed)
                    local wait = windows.seconds_until_room(moment, limit, current, 15)
                    local function has_room(seconds)
                        local later = windows.at(6000 + passed + seconds)
                        local minutes = later.minute - moment.minute
                        if minutes == 0 then
                            return current + windows.rest(later, 15) < limit
                        end
                        return minutes > 1 or windows.rest(later, current) < limit
                    end
                    assert.is_true(has_room(wait))
                    assert.is_false(wait > 1 and has_room(wait - 1.001))
                    assert.are.equal(has_room(0), wait == 0)
                end
            end
        end
    end)
end)

describe("a day", function()
    it("ends at midnight UTC", function()
        assert.are.equal(86400, windows.seconds_until_day(windows.at(1795996800)))
        assert.are.equal(1, windows.seconds_until_day(windows.at(1795996799.5)))
    end)
end)

describe("a time for a header", function()
    it("is written as OpenAI does", function()
        for seconds, text in pairs({ [0] = "0s", [1] = "1s", [59] = "59s", [60] = "1m0s", [360] = "6m0s",
            [3599] = "59m59s", [3600] = "1h0m0s", [86399] = "23h59m59s" }) do
            assert.are.equal(text, windows.duration(seconds))
        end
    end)
end)
