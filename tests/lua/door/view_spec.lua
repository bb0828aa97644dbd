-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local view = require "door.view"

describe("Ollama's lists", function()
    it("are passed on as they came, byte for byte", function()
        local array = '[{"name":"a","details":{"families":[],"parent":null},"size":1234567890123456}]'
        assert.are.equal(array, view.models_of('{"models":' .. array .. "}"))
        assert.are.equal(array, view.models_of(' { "models" : ' .. array .. " }\n"))
    end)

    it("are empty ones where there is nothing", function()
        assert.are.equal("[]", view.models_of('{"models":[]}'))
        assert.are.equal("[]", view.models_of('{"models":null}'))
    end)

    it("are refused where they are something else", function()
        for _, text in ipairs({ "", "nonsense", "[]", "{}", '{"models":7}', '{"models":[{"a":1}],"more":[1]}',
            '{"models":[{"a":1}', '{"models":[1],"models":[2]}' }) do
            local value, err = view.models_of(text)
            assert.is_nil(value, text)
            assert.are.equal("string", type(err))
        end
    end)
end)

describe("what a gateway is told", function()
    local function told(known, changes)
        local state = { draining = false, capacity = 4, in_flight = {}, hash = "h", tags = "[1]", ps = "[]" }
        for name, value in pairs(changes or {}) do
            state[name] = value
        end
        return view.text(state, known)
    end

    it("has all that is known of the server", function()
        assert.are.equal(
            '{"draining":false,"capacity":4,"in_flight":{},"tags_hash":"h","tags":[1],"ps":[]}\n', told())
        local said = cjson.decode(told(nil, { draining = true, in_flight = { ['a"b'] = 2, [""] = 1 } }))
        assert.is_true(said.draining)
        assert.are.same({ ['a"b'] = 2, [""] = 1 }, said.in_flight)
    end)

    it("leaves the models out where they are those that the gateway has", function()
        assert.are.equal('{"draining":false,"capacity":4,"in_flight":{},"tags_hash":"h","ps":[]}\n', told("h"))
        assert.is_truthy(string.find(told("other"), '"tags":[1]', 1, true))
    end)
end)
