-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local flights = require "gatehouse.doors.flights"
local shared_dict = require "tests.lua.shared_dict"

describe("requests at servers", function()
    local dict

    before_each(function()
        dict = shared_dict.new(1000)
        function dict.get_keys(self)
            local keys = {}
            for key in pairs(self.entries) do
                keys[#keys + 1] = key
            end
            return keys
        end
    end)

    local function worker(pid)
        return flights.new(dict, function() return pid end)
    end

    it("are counted for all workers", function()
        local one, other = worker(1), worker(2)
        one:begin(3)
        other:begin(3)
        other:begin(1)
        assert.are.same({ 2, 1, 0 }, { one:count(3), one:count(1), one:count(2) })
        one:finish(3)
        other:finish(3)
        assert.are.equal(0, other:count(3))
    end)

    it("of a worker that was killed are taken back, once", function()
        local one, other = worker(1), worker(2)
        one:begin(3)
        one:begin(3)
        other:begin(3)
        local function lives(pid) return pid == "2" end
        other:bury(lives)
        other:bury(lives)
        assert.are.equal(1, other:count(3))
    end)
end)
