-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local in_flight = require "door.in_flight"

describe("requests in flight", function()
    it("are counted by name while they run", function()
        local counts = in_flight.new()
        counts:begin("a")
        counts:begin("a")
        counts:begin("")
        assert.are.same({ a = 2, [""] = 1 }, counts.counts)
        counts:finish("a")
        assert.are.same({ a = 1, [""] = 1 }, counts.counts)
    end)

    it("leave no name behind", function()
        local counts = in_flight.new()
        counts:begin("a")
        counts:finish("a")
        assert.are.same({}, counts.counts)
    end)

    it("never fall below none", function()
        local counts = in_flight.new()
        counts:finish("a")
        counts:begin("a")
        assert.are.same({ a = 1 }, counts.counts)
    end)
end)
