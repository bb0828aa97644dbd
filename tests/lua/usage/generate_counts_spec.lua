-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local generate_counts = require "gatehouse.usage.generate_counts"

local COUNTS = '"prompt_eval_count":9,"eval_count":22'
local PIECE = '{"model":"m","response":"a","done":false}\n'

local function said(text, size, whole)
    local counts = generate_counts.new()
    for from = 1, #text, size do
        counts:take(text:sub(from, from + size - 1))
    end
    return { counts:said(whole) }
end

describe("the counts of /api/generate", function()
    it("are found in the line that is done, wherever pieces are cut and whatever stands around them", function()
        local context = '"context":[' .. ("12345,"):rep(500) .. "1],"
        for _, before in ipairs({ "", PIECE, PIECE:rep(3), (PIECE:gsub("}", ',"tool_calls":[{"done":true}]}')) }) do
            for _, between in ipairs({ "", context }) do
                for _, after in ipairs({ "", "\n", ',"tool_calls":[{"x":{"done":false,"eval_count":1}}]',
                    ',"logprobs":[{"token":"' .. ("x"):rep(3000) .. '"}]' }) do
                    local text = before .. '{"model":"m","response":"\\"done\\":false","done":true,'
                        .. '"done_reason":"stop",' .. between .. COUNTS .. (after == "\n" and "}\n" or after .. "}")
                    for _, size in ipairs({ 1, 2, 3, 5, 8, 13, 40, 41, 42, 1000, 100000 }) do
                        assert.are.same({ true, "stop", "9", "22" }, said(text, size, true))
                    end
                end
            end
        end
    end)

    it("are none in lines that are not done, and not there before they are whole", function()
        assert.are.same({ false }, said(PIECE:rep(5), 7, true))
        local text = '{"model":"m","response":"","done":true,"done_reason":"stop",' .. COUNTS .. "}\n"
        for stop = 0, #text - 1 do
            assert.are.same({ false }, said(text:sub(1, stop), 1000, false))
        end
        assert.are.same({ true, "stop", "9", "22" }, said(text, 1000, false))
    end)

    it("have no reason where none is said, and no value where it is cut", function()
        assert.are.same({ true, nil, "9", "" }, said('{"done":true,"prompt_eval_count":9,"eval_count":2', 100, true))
        assert.are.same({ true, "load" }, said('{"done":true,"done_reason":"load"}', 100, true))
    end)
end)
