-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local body_model = require "gatehouse.body_model"

-- The body in pieces of this size.
local function pieces(text, size)
    local position = 1
    return function()
        if position > #text then
            return nil
        end
        position = position + size
        return text:sub(position - size, position - 1)
    end
end

local function read(text, fields)
    local expected = { body_model.read(pieces(text, #text + 1), fields or { "model", "name" }) }
    for size = 1, 5 do
        assert.are.same(expected, { body_model.read(pieces(text, size), fields or { "model", "name" }) })
    end
    return expected[1], expected[2]
end

local function refused(text, fields)
    local names, err = read(text, fields)
    assert.is_nil(names, text)
    assert.is_string(err)
end

describe("the model of a body", function()
    it("is the member of that name, wherever it stands and however it is written", function()
        for _, text in ipairs({ '{"model":"tiny"}',
            ' {\n"messages" : [{"model": "x"}, [1, -2.5e3, true, null]],"model"\t:"tiny" } ',
            '{"m\\u006fdel": "t\\u0069ny", "options": {"Model": 1}}',
            '{"prompt": "\\"model\\":\\"x\\"", "model": "tiny"}' }) do
            assert.are.same({ "tiny" }, read(text), text)
        end
    end)

    it("may be missing, null or empty, and may have a second name", function()
        assert.are.same({}, read("{}"))
        assert.are.same({}, read('{"model": null, "name": ""}'))
        assert.are.same({ "a", "b" }, read('{"model": "a", "name": "b"}'))
        assert.are.same({ "a" }, read('{"source": "a", "model": "b"}', { "source" }))
    end)

    it("is refused where Ollama would take another one", function()
        for _, text in ipairs({ '{"model":"tiny","MODEL":"x"}', '{"MODEL":"x","model":"tiny"}', '{"Model":"x"}',
            '{"model":"tiny","m\\u006fdel":"x"}', '{"model":"tiny","model":"tiny"}', '{"name":"a","Name":"b"}',
            '{"model":"tiny"}{"model":"x"}', '{"model":"tiny"} x', '{"model":["tiny"]}', '{"model":1}',
            '{"model":true}' }) do
            refused(text)
        end
        refused('{"source":"a","\197\191ource":"b"}', { "source" })
        refused('{"source":"a","\\u017fource":"b"}', { "source" })
    end)

    it("is refused in what is not JSON", function()
        for _, text in ipairs({ "", " ", "{", "[]", '"model"', "null", '{"model":"tiny"', '{"model":"tiny",}', "{,}",
            '{"a":01,"model":"x"}', '{"a":1.,"model":"x"}', '{"a":.5}', '{"a":+1}', '{"a":1e}', '{"a":nan}',
            '{"a":tru}',
            '{"a":"\1"}', '{"a":"\\x"}', '{"a":"\\u00g0"}', '{"a":"\\ud800"}', '{"a":"\\udc00"}', "{'a':1}", '{"a" 1}',
            '{"a":1 2}', '{"a":[1,]}', '{"a":[1 2]}', '{"a":{"b":}}', '\239\187\191{"model":"x"}', '{"a":-}',
            '{"a":' .. ("["):rep(600) .. ("]"):rep(600) .. "}", '{/**/"model":"x"}' }) do
            refused(text)
        end
    end)

    it("is found behind a long string without holding it", function()
        local left = 640
        local first = true
        local function next_piece()
            if first then
                first = false
                return '{"images":["'
            end
            left = left - 1
            if left < 0 then
                return nil
            end
            return left > 0 and ("A"):rep(65536) or '"],"model":"tiny"}'
        end
        collectgarbage()
        local before = collectgarbage("count")
        assert.are.same({ "tiny" }, body_model.read(next_piece, { "model" }))
        collectgarbage()
        assert.is_true(collectgarbage("count") - before < 1024)
    end)
end)
