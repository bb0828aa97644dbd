-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local json_tail = require "gatehouse.usage.json_tail"

local members = json_tail.members

local seed = 1
local function random(from, to)
    seed = (seed * 16807) % 2147483647
    return from + seed % (to - from + 1)
end

local STRINGS = { '""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"{"', '"}]"', '",\\"a\\":1"', '":"', '"\\\\\\\\"' }

local function value(depth)
    local kind = random(1, depth > 3 and 2 or 4)
    if kind == 1 then
        return STRINGS[random(1, #STRINGS)]
    elseif kind == 2 then
        return ({ "1", "-2.5e3", "true", "null" })[random(1, 4)]
    end
    local parts = {}
    for i = 1, random(0, 3) do
        parts[i] = (kind == 3 and '"' .. ("abc"):sub(i, i) .. '":' or "") .. value(depth + 1)
    end
    return (kind == 3 and "{" or "[") .. table.concat(parts, ",") .. (kind == 3 and "}" or "]")
end

describe("an object that is read from its end", function()
    it("has the members that it has on the way forth, and none from within, wherever its beginning is cut", function()
        for _ = 1, 500 do
            local a, b, c = value(1), value(1), value(1)
            local text = '{"a":' .. a .. ',"b":' .. b .. ',"c":' .. c .. "}"
            assert(cjson.decode(text))
            for from = 1, #text do
                local tail = text:sub(from)
                local found, open = members(tail, #tail, {})
                local b_begins, c_begins = #text - #tail < #text - #b - #c - 10, #text - #tail < #text - #c - 5
                assert(found.a == (from == 1 and a or nil), tail)
                assert(found.b == (b_begins and b or nil), tail)
                assert(found.c == (c_begins and c or nil), tail)
                assert(from == 1 and open == nil or open >= 0 and open < #tail)
            end
        end
    end)

    it("tells where the value ends of a member whose beginning is cut", function()
        local text = 'x","y":1},"a":2,"b":{"c":[3]}}'
        local found, open = members(text, #text, {})
        assert.are.same({ a = "2", b = '{"c":[3]}' }, found)
        assert.are.equal('x","y":1}', text:sub(1, open))
        assert.are.same({ b = '{"c":[3]}' }, members(text, #text, { "b" }))
    end)

    it("has no members where it is none", function()
        for _, text in ipairs({ "", "x", "]", '"', "}", "{}", "\\}", '\\"}', '"}', "]}", "[}" }) do
            assert.are.same({}, (members(text, #text, {})))
        end
    end)
end)
