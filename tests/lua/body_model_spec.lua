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
            '{"a":"\1"}', '{"a":"\\x"}', '{"a":"\\u00g0"}', '{"\\ud800', '{"\\ud8":1}', '{"model":"\\ud83d"}',
            '{"model":"\\ud83dx"}', '{"model":"\\ud83d\\u0041"}', '{"model":"\\ude00"}', "{'a':1}", '{"a" 1}',
            '{"a":1 2}', '{"a":[1,]}', '{"a":[1 2]}', '{"a":{"b":}}', '\239\187\191{"model":"x"}', '{"a":-}',
            '{"a":' .. ("["):rep(600) .. ("]"):rep(600) .. "}", '{/**/"model":"x"}' }) do
            refused(text)
        end
    end)

    it("is found beside text that was cut within an emoji, which Ollama takes too", function()
        for _, cut in ipairs({ "\\ud83d", "\\ude00", "\\ud83d\\ud83d", "a\\ud83dx", "\\ud83d\\n" }) do
            local text = '{"messages":[{"content":"' .. cut .. '","' .. cut .. '":1}],"' .. cut .. '":1,"model' .. cut
                .. '":"x","model":"tiny","prompt":"' .. cut .. '"}'
            assert.are.same({ "tiny" }, read(text), text)
        end
    end)

    it("stands beside members that are allowed, or there are more", function()
        for text, expected in pairs({
            ['{"model":"tiny","stream":true}'] = false,
            ['{"model":"tiny","files":{}}'] = true,
            ['{"files":null,"model":"tiny"}'] = true,
            ['{"model":"tiny","Stream":true}'] = true,
            ['{"model":"tiny","\197\191tream":true}'] = true,
            ['{"model":"tiny","\\u0073tream":true}'] = false,
            ['{"model":"tiny","x":{"stream":1}}'] = true,
            ["{}"] = false,
        }) do
            local _, more = body_model.read(pieces(text, 3), { "model" }, { "stream" })
            assert.are.equal(expected, more, text)
        end
        assert.is_true(select(2, body_model.read(pieces('{"x":1}', 9), { "model" }, {})))
        assert.is_false(select(2, body_model.read(pieces('{"x":1}', 9), { "model" })))
    end)

    it("is found with the values of members that are watched, in any spelling, to the last one", function()
        local function values(text, size)
            local _, _, found = body_model.read(pieces(text, size), { "model" }, nil, { "stream", "stream_options" })
            return found.values
        end
        for size = 1, 40 do
            local found = values('{"model":"m","stream" : true ,"x":{"stream":5},"Stream":null\t,'
                .. '"\\u017ftream": false,"stream_options":{"a":[1, "}"] }\n, "STREAM_OPTIONS":"x\\""}  ', size)
            assert.are.same({ "true", "null", "false", size = 13, is_cut = false }, found.stream)
            assert.are.same({ '{"a":[1, "}"] }', '"x\\""', size = 20, is_cut = false }, found.stream_options)
        end
        assert.is_nil(values('{"model":"m"}', 5).stream)
    end)

    it("is found beside values that are watched and too long to be kept, which are told", function()
        for text, expected in pairs({
            ['{"s":"' .. ("x"):rep(4094) .. '"}'] = 1,
            ['{"s":"' .. ("x"):rep(4095) .. '"}'] = 0,
            ['{"s":1' .. (" "):rep(5000) .. "}"] = 0,
            ['{"s":1,"S":"' .. ("x"):rep(4094) .. '","s":2}'] = 2,
        }) do
            for _, size in ipairs({ 1, 1000, 10000 }) do
                local names, _, found = body_model.read(pieces(text, size), { "model" }, nil, { "s" })
                assert.are.same({}, names)
                assert.are.equal(expected, #found.values.s)
                assert.are.equal(expected ~= 1, found.values.s.is_cut)
            end
        end
    end)

    it("is found with how many bytes the body has beside its images", function()
        local function text_bytes(text, size)
            return select(3, body_model.read(pieces(text, size or 65536), { "model" })).text_bytes
        end
        local image = ("iVBORw0KGgoAAAANSUhEUg+/"):rep(10000)
        local around = '{"model":"m","images":["data:image/png;base64,","x"],"prompt":"\u{4e2d}"} \n'
        assert.are.equal(#around, text_bytes(around))
        assert.are.equal(#around, text_bytes(around, 3))
        local with_images = '{"images":["' .. image .. '","' .. image .. '"],"model":"m"}'
        -- A string is not looked at as one before a block of the bytes around it has ended.
        assert(text_bytes(with_images, #with_images) <= #with_images - 2 * #image + 2 * 64)
        -- In pieces no more of them is taken for text than what a piece has before it is long enough.
        assert(text_bytes(with_images, 65536) < 2 * 4096 + 100)
        for _, text in ipairs({ ("a word "):rep(10000), ("\u{4e2d}\u{6587}"):rep(10000), ("x"):rep(4000) .. " "
            .. ("x"):rep(4000), ("line\\n"):rep(10000) }) do
            local body = '{"prompt":"' .. text .. '","model":"m"}'
            assert.are.equal(#body, text_bytes(body))
        end
    end)

    it("is refused behind more members, deeper values and longer keys than a request has", function()
        assert.are.same({ "tiny" }, read('{"model":"tiny"' .. (',"":0'):rep(999) .. "}"))
        refused('{"model":"tiny"' .. (',"":0'):rep(1000) .. "}")
        assert.are.same({ "tiny" }, read('{"model":"tiny","a":' .. ("["):rep(511) .. ("]"):rep(511) .. "}"))
        refused('{"model":"tiny","a":' .. ("["):rep(512) .. ("]"):rep(512) .. "}")
        refused('{"model":"tiny","a":' .. ('{"":'):rep(512) .. "1" .. ("}"):rep(512) .. "}")
        refused('{"' .. ("x"):rep(1025) .. '":1}')
        assert.are.same({}, read('{"' .. ("x"):rep(1024) .. '":1}'))
        refused('{"' .. ("\\u0078"):rep(1025) .. '":1}')
    end)

    it("is found behind any kind of small tokens without a string of them", function()
        for _, unit in ipairs({ "0,", "[],", '{"":0},', '"",', "1e1,", "true,", '"\\u0041",', '"\\n\\n",', "[[[]]],",
            ' \n{"a" : [ null ] } ,' }) do
            local piece, left = unit:rep(65536 / #unit), 80
            local parts = { '{"x":[', '0],"model":"tiny"}' }
            local function next_piece()
                left = left - 1
                return left == 79 and parts[1] or left > 0 and piece or left == 0 and parts[2] or nil
            end
            collectgarbage()
            collectgarbage("stop")
            local before, begun = collectgarbage("count"), os.clock()
            assert.are.same({ "tiny" }, body_model.read(next_piece, { "model" }))
            local taken, held = os.clock() - begun, collectgarbage("count") - before
            collectgarbage("restart")
            assert.is_true(held < 64, unit .. " holds " .. held .. " KiB")
            -- 5 MB: some 50 ms. A string for each token would take a second.
            assert.is_true(taken < 0.5, unit .. " takes " .. taken .. " s")
        end
    end)

    it("is found behind a number of any length without holding it", function()
        for _, number in ipairs({ "1", "0.", "1e", "-9", "1.5E+0" }) do
            local left = 80
            local function next_piece()
                left = left - 1
                return left == 79 and '{"x":' .. number or left > 0 and ("7"):rep(65536)
                    or left == 0 and ',"model":"tiny"}' or nil
            end
            collectgarbage()
            local before = collectgarbage("count")
            assert.are.same({ "tiny" }, body_model.read(next_piece, { "model" }))
            assert.is_true(collectgarbage("count") - before < 1024)
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

describe("a body with several names", function()
    it("is about the model that the server goes by, wherever that stands", function()
        local parts = { '{"name":"other","model":"tiny"}' }
        local names = body_model.read(function() return table.remove(parts) end, { "model", "name" })
        assert.are.same({ "tiny", "other" }, names)
    end)
end)
