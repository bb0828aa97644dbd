-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local said = require "gatehouse.doors.said"

describe("what a door says", function()
    it("is read", function()
        local found, models, loaded = said.read('{"draining":true,"capacity":4,"in_flight":{"b:latest":2,"":1},'
            .. '"tags_hash":"x","tags":[{"name":"A"},{"name":"b:latest"},{"model":"c"}],"ps":[{"name":"a:latest"}]}')
        assert.are.same({ draining = true, capacity = 4, total = 3, warm = { "a:latest", "b:latest" }, loaded = 1,
            tags_hash = "x" }, found)
        assert.are.same({ "a:latest", "b:latest", "c:latest" }, models)
        assert.are.same({ { name = "a:latest" } }, loaded)
    end)

    it("may leave out the models", function()
        local found, models = said.read('{"capacity":1,"in_flight":{},"ps":null}')
        assert.are.same({ 1, 0, false }, { found.capacity, found.total, found.draining })
        assert.is_nil(models)
    end)

    it("is taken for little where it makes no sense", function()
        local found = said.read('{"draining":"no","capacity":-1,"in_flight":{"a":-5,"b":"x","c":1e400},"tags":7,'
            .. '"ps":[1,{}]}')
        assert.are.same({ draining = false, capacity = 1, total = 0, warm = {}, loaded = 0, tags_hash = "" }, found)
        assert.are.equal(10000, said.read('{"capacity":1e300}').capacity)
    end)

    it("is an error where it is no object", function()
        for _, text in ipairs({ "", "[", "7", "null", "nonsense" }) do
            assert.is_nil((said.read(text)), text)
        end
    end)

    it("goes through memory as text", function()
        assert.are.same({ ["a:latest"] = true, ["b:1"] = true }, said.set(said.joined({ "a:latest", "b:1" })))
        assert.are.same({}, said.set(nil))
    end)
end)
