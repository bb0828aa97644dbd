-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local body_model = require "gatehouse.body_model"
local cjson = require "cjson.safe"
local include_usage = require "gatehouse.usage.include_usage"

local function found_in(text)
    local pieces = { text }
    local _, _, found = body_model.read(function() return table.remove(pieces) end, { "model" }, nil,
        include_usage.WATCHED)
    return assert(found)
end

describe("the question for the counts", function()
    it("is for streams of which the client has not asked it itself", function()
        for text, expected in pairs({
            ['{"stream":true}'] = { true, false },
            ['{"Stream":true,"stream_options":null}'] = { true, false },
            ['{"stream":true,"stream_options":{}}'] = { true, false },
            ['{"stream":true,"stream_options":{"include_usage":false}}'] = { true, false },
            ['{"stream":true,"stream_options":{"x":{"include_usage":true}}}'] = { true, false },
            ['{"stream":true,"stream_options":{"include_usage":true}}'] = { false, true },
            ['{"stream_options" : { "Include_U\\u017fage" : true , "x":[1]} , "stream" : true }'] = { false, true },
            ['{"stream":false}'] = { false, false },
            ['{"stream":"true"}'] = { false, false },
            ['{"stream":1}'] = { false, false },
            ["{}"] = { false, false },
            ['{"stream_options":{"include_usage":true}}'] = { false, true },
            ['{"x":{"stream":true}}'] = { false, false },
        }) do
            local found = found_in(text)
            assert.are.same(expected, { include_usage.wants(found), include_usage.client_asked(found) }, text)
        end
    end)

    it("is judged as Go reads members that come again", function()
        for text, expected in pairs({
            ['{"stream":true,"STREAM":false}'] = { false, false },
            ['{"stream":false,"stream":true}'] = { true, false },
            ['{"stream":true,"stream":null}'] = { true, false },
            ['{"stream":true,"stream_options":{"include_usage":true},"stream_options":{}}'] = { false, true },
            ['{"stream":true,"stream_options":{"include_usage":true},"stream_options":null}'] = { true, false },
            ['{"stream":true,"stream_options":{"include_usage":true,"INCLUDE_USAGE":false}}'] = { true, false },
            ['{"stream":true,"stream_options":{"include_usage":true,"include_usage":null}}'] = { false, true },
        }) do
            local found = found_in(text)
            assert.are.same(expected, { include_usage.wants(found), include_usage.client_asked(found) }, text)
        end
    end)

    it("is not asked where the options are too long to tell", function()
        local options = '{"include_usage":true,"x":"' .. ("x"):rep(5000) .. '"}'
        local found = found_in('{"stream":true,"stream_options":' .. options .. "}")
        assert.are.same({ false, true }, { include_usage.wants(found), include_usage.client_asked(found) })
    end)

    it("stands last in the body, which stays as it was before it", function()
        local question = '"stream_options":{"include_usage":true}}'
        for text, expected in pairs({
            ["{}"] = "{" .. question,
            [" {\n}\r\n"] = " {\n" .. question,
            ['{"stream":true}'] = '{"stream":true,' .. question,
            ['{"a":{}} \t\n'] = '{"a":{},' .. question,
            ['{"a":"{"\n}'] = '{"a":"{"\n,' .. question,
            ['{"stream_options":{"include_usage":false}}'] = '{"stream_options":{"include_usage":false},' .. question,
        }) do
            local spliced = include_usage.splice(text)
            assert.are.equal(expected, spliced)
            assert.is_true(cjson.decode(spliced).stream_options.include_usage)
            assert.is_true(include_usage.client_asked(found_in(spliced)))
        end
    end)

    it("can be written to the end of a file of which only the last bytes are known", function()
        for _, text in ipairs({ "{}", '{"stream":true}', '{"stream":true}' .. (" "):rep(20), '{"a":{"b":[]} \n}\n' }) do
            local expected, known = include_usage.splice(text), 0
            for size = 1, #text do
                local kept, added = include_usage.ending(text:sub(-size))
                if kept then
                    known = known + 1
                    assert.are.equal(expected, text:sub(1, #text - size + kept) .. added)
                else
                    assert(text:sub(-size):find("^%s*}?%s*$"))
                end
            end
            assert(known > 0)
        end
    end)
end)
