-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local added_event = require "gatehouse.usage.added_event"
local recordings = dofile("tests/lua/usage/recordings.lua")
local in_pieces = recordings.in_pieces

local USAGE = 'data: {"id":"chatcmpl-975","object":"chat.completion.chunk","created":1795895969,"model":"tiny",'
    .. '"system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,'
    .. '"total_tokens":11}}\n\n'
local DONE = "data: [DONE]\n\n"
-- Where an event begins to be what the model said.
local CONTENT = '"choices":[{'

local function event(content)
    return (USAGE:gsub('%[%].*', '[{"index":0,"delta":{"content":"' .. content .. '"},"finish_reason":null}]}\n\n'))
end

local function taken(pieces)
    local filter, parts = added_event.new(), {}
    for i, piece in ipairs(pieces) do
        parts[i] = filter:take(piece, i == #pieces)
    end
    return table.concat(parts), parts
end

-- The stream without the event that was added, found in another way.
local function without(stream)
    return (stream:gsub('data: {[^\n]-,"choices":%[%],"usage":{[^\n]*}}\n\n', ""))
end

-- The recorded streams that a gateway may see, with and without the counts.
local function streams()
    local found = {}
    for _, one in ipairs(recordings.all()) do
        if one.form == "chat_completions" and one.body:find("^data: ") then
            found[#found + 1] = one
        end
    end
    return found
end

describe("the event that was asked for", function()
    it("is taken out of a recorded stream, wherever it is cut", function()
        local with_usage = 0
        for _, one in ipairs(streams()) do
            local expected = without(one.body)
            with_usage = with_usage + (expected ~= one.body and 1 or 0)
            assert.are.equal(expected, (taken({ one.body })), one.name)
            for cut = 1, #one.body - 1 do
                local found = taken({ one.body:sub(1, cut), one.body:sub(cut + 1) })
                if found ~= expected then
                    assert.are.equal(expected, found, one.name .. " cut at " .. cut)
                end
            end
            for size = 1, 300 do
                local found = taken(in_pieces(one.body, size))
                assert(found == expected, one.name .. " in pieces of " .. size)
            end
        end
        assert(with_usage >= 5)
    end)

    it("is taken out of a stream at any two cuts", function()
        local stream = event("a") .. USAGE .. DONE
        local expected = event("a") .. DONE
        for one = 1, #stream - 2 do
            for other = one + 1, #stream - 1 do
                local found = taken({ stream:sub(1, one), stream:sub(one + 1, other), stream:sub(other + 1) })
                if found ~= expected then
                    error("cut at " .. one .. " and " .. other)
                end
            end
        end
    end)

    it("is all that is missing, whatever a model says", function()
        for _, content in ipairs({ "", "[]", '\\"choices\\":[],\\"usage\\":{}', '\\\\\\"choices\\":[]', "\\n\\n",
            'data: {\\"choices\\":[]}\\n\\n', ("[]"):rep(4000) }) do
            local stream = event(content) .. event(content) .. USAGE .. event(content) .. DONE
            local expected = event(content):rep(3) .. DONE
            for _, size in ipairs({ 1, 2, 3, 50, 100, 333, 100000 }) do
                assert.are.equal(expected, (taken(in_pieces(stream, size))))
            end
        end
    end)

    it("is the only thing that waits: what a model said goes on with its piece", function()
        for _, one in ipairs(streams()) do
            for cut = 1, #one.body - 1 do
                local piece = one.body:sub(1, cut)
                local passed = without(piece)
                -- What of the last event stands before its content may wait.
                local last = passed:match("\n\n()[^\n]*\n?$") or 1
                local may_wait = passed:find(CONTENT, last, true) and 0 or #passed - last + 1
                local found = added_event.new():take(piece, false)
                if passed:sub(1, #found) ~= found or #found < #passed - may_wait then
                    error(one.name .. " cut at " .. cut)
                end
            end
        end
    end)

    it("leaves each piece as it is that has nothing of it, also what is no event", function()
        for _, pieces in ipairs({
            { event("a"), event("b") .. event("c"), DONE },
            { "\n", ": ping\n\n", "\n\n\n", "x\n\n" },
            { '{"error":{"message":"x","choices":[]}}' },
            { "data: [DONE]", "\n", "\n" },
            { event("a"):sub(1, 190), event("a"):sub(191) },
            { event("a"):sub(1, -2), "\n" .. event("b") },
        }) do
            local _, parts = taken(pieces)
            assert.are.same(pieces, parts)
        end
    end)

    it("is let through at the end where it has not turned out to be that one, and dropped where it has", function()
        assert.are.equal(USAGE:sub(1, 100), (taken({ USAGE:sub(1, 100) })))
        assert.are.equal(USAGE:sub(1, 100), (taken({ USAGE:sub(1, 50), USAGE:sub(51, 100), "" })))
        assert.are.equal("", (taken({ USAGE:sub(1, -10) })))
        assert.are.equal("", (taken({ USAGE:sub(1, 150), "" })))
    end)

    it("costs little in a stream of anything", function()
        for _, piece in ipairs({ "data: {", '"choices":[', "[]", "\n", '[]\n\n', ("x"):rep(65536), event("a[]"),
            "data: {" .. ("x"):rep(65536) }) do
            local filter, begun = added_event.new(), os.clock()
            local count = math.floor(20e6 / (#piece + 2000))
            for _ = 1, count do
                filter:take(piece, false)
            end
            assert(os.clock() - begun < 1, piece:sub(1, 20) .. " took " .. os.clock() - begun)
            assert(#filter.waiting < 5000)
        end
    end)
end)
