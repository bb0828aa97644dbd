-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local families = require "gatehouse.metrics.families"

describe("the text for Prometheus", function()
    it("has whole numbers without a point and others with as many digits as they need", function()
        assert.are.equal("a 3\n", families.line("a", "", 3))
        assert.are.equal("a 1796021960\n", families.line("a", "", 1796021960))
        assert.are.equal("a 0.25\n", families.line("a", "", 0.25))
        assert.are.equal("a +Inf\n", families.line("a", "", math.huge))
    end)

    it("has labels in quotes, in which nothing ends them and nothing is no UTF-8", function()
        local labels = families.labels({ "server", "model" }, { 'a"b\\c', "x\ny\255z" })
        assert.are.equal('server="a\\"b\\\\c",model="x?y?z"', labels)
        assert.are.equal('a{' .. labels .. '} 1\n', families.line("a", labels, 1))
    end)

    it("has names as Prometheus wants them", function()
        for _, family in ipairs(families.COUNTED) do
            assert.is_truthy(family.name:find("^gatehouse_[a-z_]+$"))
            assert.are.equal(family.type == "counter", family.name:find("_total$") ~= nil)
            assert.are.equal(family.type == "histogram", family.buckets ~= nil)
        end
        for name, what in pairs(families.FOUND) do
            assert.are.equal(what[1] == "counter", name:find("_total$") ~= nil)
        end
    end)

    it("has buckets that grow", function()
        for _, family in ipairs(families.COUNTED) do
            for i = 2, #(family.buckets or {}) do
                assert.is_true(family.buckets[i] > family.buckets[i - 1])
            end
        end
    end)
end)
