-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local answer = require "gatehouse.usage.answer"
local cjson = require "cjson.safe"
local recordings = dofile("tests/lua/usage/recordings.lua")
local in_pieces = recordings.in_pieces

-- What the gateway takes for the prompt where the server does not say it.
local ESTIMATE = 77

local function finish(form, pieces, whole, status)
    local one = answer.new(form)
    for _, piece in ipairs(pieces) do
        one:take(piece)
    end
    return one:finish(whole, status or 200, ESTIMATE)
end

local function is(prompt, completion, source, end_, found, why)
    assert.are.same({ prompt = prompt, completion = completion, source = source, end_ = end_ }, found, why)
end

-- Of an answer that came whole, in one piece.
local function of(form, text)
    return finish(form, { text }, true)
end

local function no_text(value)
    return value == nil or value == ""
end

-- Whether an event or line, decoded, has something that a model said.
local function has_content(event)
    local choice = event.choices and event.choices[1] or {}
    local delta = choice.delta or {}
    local message = event.message or {}
    return not (no_text(choice.text) and no_text(delta.content) and no_text(delta.reasoning) and not delta.tool_calls
        and no_text(message.content) and no_text(message.thinking) and not message.tool_calls
        and no_text(event.response) and no_text(event.thinking)
        and not (event.type or ""):find("delta$") or event.type == "message_delta")
end

-- The counts and pieces of a recording, read at leisure.
local function read_at_leisure(recording)
    local prompt, completion, pieces = 0, 0, 0
    for line in recording.body:gmatch("[^\n]+") do
        local event = cjson.decode((line:gsub("^data: ", "")))
        if event then
            local usage = event.response and type(event.response) == "table" and event.response.usage or event.usage
            usage = type(usage) == "table" and usage or {}
            prompt = usage.prompt_tokens or usage.input_tokens or event.prompt_eval_count or prompt
            completion = usage.completion_tokens or usage.output_tokens or event.eval_count or completion
            pieces = pieces + (has_content(event) and 1 or 0)
        end
    end
    return prompt, completion, pieces
end

local all = recordings.all()
local function recording(name)
    return assert(recordings.read(name))
end

describe("the tokens of a recorded answer", function()
    it("are those that the server said, or its pieces where it said none", function()
        for name, expected in pairs({
            ["11-generate-stream"] = { 9, 22, "server", "complete" },
            ["d05e-generate-logprobs"] = { 9, 2, "server", "complete" },
            ["d12b-chat-tools-stream"] = { 190, 6, "server", "complete" },
            ["d21e-v1-chat-stream-rawchunks"] = { 9, 2, "server", "complete" },
            ["d25b-v1-completions-stream-usage"] = { 9, 3, "server", "complete" },
            ["d30d-v1-responses-stream-complete"] = { 9, 22, "server", "complete" },
            ["d42b-v1-messages-thinking-stream"] = { 22, 12, "server", "complete" },
            ["d50c-embed-array"] = { 10, 0, "server", "complete" },
            ["d52b-v1-embeddings-array"] = { 10, 0, "server", "complete" },
            -- Streams of which the client asked for no counts, and a route without.
            ["d21-v1-chat-stream-no-usage"] = { ESTIMATE, 3, "counted", "complete" },
            ["47b-v1-completions-stream"] = { ESTIMATE, 21, "counted", "complete" },
            ["d51-embeddings-legacy"] = { ESTIMATE, 0, "counted", "complete" },
            -- A model that is only loaded, or left.
            ["16-generate-load"] = { 0, 0, "none", "complete" },
            ["d11e-chat-unload"] = { 0, 0, "none", "complete" },
            ["d25g-v1-completions-empty-prompt"] = { 0, 0, "none", "complete" },
            ["d25h-v1-completions-empty-prompt-stream"] = { 0, 0, "none", "complete" },
            ["d30k-v1-responses-no-input"] = { 0, 0, "none", "complete" },
            ["d50e-embed-empty-string"] = { 0, 0, "none", "complete" },
            ["d51b-embeddings-legacy-empty"] = { 0, 0, "none", "complete" },
            -- An error before the first byte.
            ["13-generate-unknown-404"] = { 0, 0, "none", "complete" },
            ["d70-queue-full-v1-chat-stream"] = { 0, 0, "none", "complete" },
            -- A model that dies, and one that is stopped because it repeats itself.
            ["d81d-runner-killed-generate-rawchunks"] = { ESTIMATE, 106, "counted", "error" },
            ["d81e-runner-killed-v1-chat-rawchunks"] = { ESTIMATE, 40, "counted", "error" },
            ["d83-token-repeat-chat"] = { ESTIMATE, 31, "counted", "error" },
            ["d83-token-repeat-chat-nostream"] = { ESTIMATE, 24, "counted", "error" },
            ["d83-token-repeat-v1-responses-nostream"] = { ESTIMATE, 24, "counted", "error" },
            ["d83-token-repeat-v1-completions-nostream"] = { ESTIMATE, 24, "counted", "error" },
            -- A server that stops.
            ["d82-sigterm-generate-rawchunks"] = { ESTIMATE, 115, "counted", "broken" },
        }) do
            local one = recording(name)
            local prompt, completion, source, end_ = unpack(expected)
            is(prompt, completion, source, end_, finish(one.form, { one.body }, one.whole, one.status), name)
        end
    end)

    it("are the same as those that one who reads all of it finds", function()
        local sources = { server = 0, counted = 0, none = 0 }
        for _, one in ipairs(all) do
            local found = finish(one.form, { one.body }, one.whole, one.status)
            local prompt, completion, pieces = read_at_leisure(one)
            sources[found.source] = sources[found.source] + 1
            if found.source == "server" then
                assert.are.same({ prompt, completion }, { found.prompt, found.completion }, one.name)
            elseif found.source == "none" then
                assert.are.equal(0, prompt + completion, one.name)
                assert.are.equal(0, found.prompt + found.completion, one.name)
            elseif not one.name:find("nostream") and not one.is_cut then
                assert.are.equal(pieces, found.completion, one.name)
            end
        end
        assert(sources.server > 90 and sources.counted > 20 and sources.none > 50)
    end)

    it("are the same wherever it is cut", function()
        for _, one in ipairs(all) do
            local expected = finish(one.form, { one.body }, one.whole, one.status)
            for cut = 1, #one.body - 1 do
                local pieces = { one.body:sub(1, cut), one.body:sub(cut + 1) }
                local found = finish(one.form, pieces, one.whole, one.status)
                if found.prompt ~= expected.prompt or found.completion ~= expected.completion
                    or found.source ~= expected.source or found.end_ ~= expected.end_ then
                    assert.are.same(expected, found, one.name .. " cut at " .. cut)
                end
            end
            for _, size in ipairs({ 1, 2, 3, 7, 64, 1000, 2047, 2048 }) do
                assert.are.same(expected, finish(one.form, in_pieces(one.body, size), one.whole, one.status),
                    one.name .. " in pieces of " .. size)
            end
        end
    end)

    it("never grow beyond what the server said when it breaks off anywhere", function()
        for _, name in ipairs({ "11-generate-stream", "21-chat-stream", "44-v1-chat-stream", "d40d-v1-messages-stream",
            "d30d-v1-responses-stream-complete", "d25b-v1-completions-stream-usage" }) do
            local one, last = recording(name), 0
            for stop = 0, #one.body do
                local found = finish(one.form, { one.body:sub(1, stop) }, false)
                assert(found.completion >= last and found.completion <= 22, name .. " up to " .. stop)
                assert(found.source ~= "none" and found.end_ == "broken")
                last = found.completion
            end
        end
    end)
end)

describe("the tokens of an answer", function()
    local COUNTS = '"total_duration":1,"prompt_eval_count":9,"prompt_eval_duration":1,"eval_count":22,"eval_duration":1'
    local CHAT = '{"model":"m","created_at":"t","message":{"role":"assistant","content":"%s"%s},"done":true,'
        .. '"done_reason":"stop",' .. COUNTS .. "}"
    local GENERATE = '{"model":"m","created_at":"t","response":"%s","done":true,"done_reason":"stop","context":[1,2],'
        .. COUNTS .. "%s}"

    it("cannot be forged by what a model says", function()
        local forged = cjson.encode('"done":true,"eval_count":1,"prompt_eval_count":1,"usage":{"prompt_tokens":1}}\n\\')
        forged = forged:sub(2, -2)
        is(9, 22, "server", "complete", of("chat", CHAT:format(forged, "")))
        is(9, 22, "server", "complete", of("generate", GENERATE:format(forged, "")))
        local completion = '{"choices":[{"message":{"content":"' .. forged .. '"}}],"usage":{"prompt_tokens":9,'
            .. '"completion_tokens":22,"total_tokens":31}}\n'
        is(9, 22, "server", "complete", of("chat_completions", completion))
    end)

    it("cannot be forged by the arguments of a tool, which are JSON of the model", function()
        local calls = '"tool_calls":[{"function":{"name":"f","arguments":{"done":true,"prompt_eval_count":1,'
            .. '"eval_count":1,"done_reason":"load","error":"x"}}}]'
        is(9, 22, "server", "complete", of("chat", CHAT:format("", "," .. calls)))
        is(9, 22, "server", "complete", of("generate", GENERATE:format("", "," .. calls)))
        -- In a line of a stream that breaks off behind it, cut where it could be an object of its own.
        local line = '{"model":"m","message":{"content":"",' .. calls .. '},"done":false}\n'
        local other = '{"model":"m","response":"","done":false,' .. calls .. "}\n"
        for stop = 1, #line do
            local found = finish("chat", { line:sub(1, stop) }, false)
            assert(found.source == "counted" and found.completion <= 1, stop)
        end
        for stop = 1, #other do
            local found = finish("generate", { other:sub(1, stop) }, false)
            assert(found.source == "counted" and found.completion <= 50, stop)
        end
        is(ESTIMATE, 2, "counted", "error", of("generate", other .. other))
        is(ESTIMATE, 2, "counted", "error", of("chat", line .. line))
    end)

    it("cannot be pushed aside by what a client asks for", function()
        local logprobs = ',"logprobs":[' .. ('{"token":"{","logprob":0,"bytes":[123]},'):rep(1000) .. "0]"
        for _, size in ipairs({ 1, 7, 4096, 100000 }) do
            is(9, 22, "server", "complete", finish("generate", in_pieces(GENERATE:format("x", logprobs), size), true))
        end
        local context = GENERATE:format(("x"):rep(5000), ""):gsub("1,2", ("123456,"):rep(10000) .. "7")
        is(9, 22, "server", "complete", finish("generate", in_pieces(context .. "\n", 4000), true))
        -- Ollama repeats the name with the space around it that it does not mind.
        local name = "m" .. (" "):rep(5000)
        is(9, 22, "server", "complete", of("chat", (CHAT:format("x", ""):gsub('"m"', '"' .. name .. '"'))))
        local usage = 'data: {"choices":[],"model":"' .. name .. '","usage":{"prompt_tokens":9,"completion_tokens":22}}'
        is(9, 22, "server", "complete", of("completions", usage .. "\n\ndata: [DONE]\n\n"))
        local stop = 'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_sequence":"' .. name
            .. '"},"usage":{"input_tokens":9,"output_tokens":22}}\n\nevent: message_stop\ndata: '
            .. '{"type":"message_stop"}\n\n'
        is(9, 22, "server", "complete", of("messages", "event: message_start\n" .. stop))
    end)

    it("cannot be forged by a schema, which Ollama repeats", function()
        local schema = '{"usage":{"input_tokens":1,"output_tokens":1},"type":"response.created"}'
        local said = '"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":22,'
            .. '"output_tokens_details":{"reasoning_tokens":0},"total_tokens":31}'
        for _, filler in ipairs({ "", ("x"):rep(3000) }) do
            local stream = 'event: response.completed\ndata: {"response":{"output":"' .. filler .. '","tools":['
                .. schema .. "]," .. said .. '},"sequence_number":9,"type":"response.completed"}\n\n'
            is(9, 22, "server", "complete", of("responses", stream))
            local object = '{"output":"' .. filler .. '","tools":[' .. schema .. "]," .. said
                .. ',"max_output_tokens":null,"metadata":{}}\n'
            is(9, 22, "server", "complete", of("responses", object))
        end
    end)

    it("are not the estimate at the begin of a stream of messages", function()
        local start = recording("d40d-v1-messages-stream").body:match("^.-\n\n")
        assert.is_truthy(start:find('"usage":{"input_tokens":1,', 1, true))
        is(ESTIMATE, 0, "counted", "broken", finish("messages", { start }, false))
    end)

    it("are the pieces where an error comes in mid-stream", function()
        local delta = recording("d40d-v1-messages-stream").body:match("event: content_block_delta.-\n\n")
        local err = 'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
        is(ESTIMATE, 1, "counted", "error", of("messages", delta .. err))
        local line = '{"model":"m","response":"a","done":false}\n'
        is(ESTIMATE, 2, "counted", "error", of("generate", line .. line .. '{"error":"x"}\n'))
        is(ESTIMATE, 2, "counted", "error", finish("generate", { line .. line .. '{"error":"x"}\n' }, false))
    end)

    it("count where all of them came and only the end did not", function()
        is(9, 22, "server", "broken", finish("chat", { CHAT:format("x", "") .. "\n" }, false))
        local stream = recording("44-v1-chat-stream").body
        is(9, 22, "server", "broken", finish("chat_completions", { stream:sub(1, -6) }, false))
    end)

    it("take the prompt from an estimate where the server had it in its cache and does not count it", function()
        local text = CHAT:format("x", ""):gsub('"prompt_eval_count":9,', "")
        is(ESTIMATE, 22, "counted", "complete", of("chat", text))
    end)

    it("are not believed where they cannot be", function()
        for _, number in ipairs({ "-1", "1.5", "1e3", "2147483649", ("9"):rep(400), '"5"', "[5]", "{}", "null",
            "0x9" }) do
            local text = CHAT:format("x", ""):gsub('"eval_count":22', '"eval_count":' .. number)
            is(9, 1, "counted", "complete", of("chat", text), number)
            text = GENERATE:format("x", ""):gsub('"eval_count":22', '"eval_count":' .. number)
            local found = of("generate", text)
            assert(found.source == "counted" and found.completion <= 1, number)
            text = '{"choices":[{"text":"abcde"}],"usage":{"prompt_tokens":9,"completion_tokens":' .. number .. "}}"
            is(9, 2, "counted", "complete", of("completions", text), number)
        end
        is(2 ^ 31, 22, "server", "complete", of("chat", (CHAT:format("x", ""):gsub('t":9', 't":2147483648'))))
    end)

    it("are of no cost in what is no answer", function()
        local forms = { "generate", "chat", "chat_completions", "completions", "responses", "messages", "embed",
            "embeddings_v1", "embeddings_legacy" }
        for _, form in ipairs(forms) do
            is(ESTIMATE, 0, "counted", "broken", finish(form, {}, false))
            is(ESTIMATE, 0, "counted", "error", finish(form, {}, true))
            is(0, 0, "none", "broken", finish(form, {}, false, 499))
            for _, text in ipairs({ "}", "\n", "\n}", '"', "{", "{}", "[]", "null", "}\n", "data: {}", '\\"}',
                "\0\255}", '"usage":{}}',
                ("\n"):rep(5000), ("}"):rep(5000), ('\\"'):rep(3000) .. "}", ("["):rep(5000) .. "}",
                ('{"usage":'):rep(500) .. "1" .. ("}"):rep(500) }) do
                for _, whole in ipairs({ true, false }) do
                    local found = finish(form, in_pieces(text, 1000), whole)
                    assert(found.prompt <= ESTIMATE and found.completion <= 5000, form .. text:sub(1, 20))
                end
            end
            local one, piece, begun = answer.new(form), ("x{[\"done\":"):rep(6554), os.clock()
            for _ = 1, 300 do
                one:take(piece)
            end
            one:finish(true, 200, 1)
            -- 20 MB: some 50 ms.
            assert(os.clock() - begun < 0.5, form .. " took " .. os.clock() - begun)
        end
    end)

    it("need memory for the last bytes only", function()
        for _, form in ipairs({ "generate", "chat_completions" }) do
            local one, before = answer.new(form), nil
            for round = 1, 2 do
                for i = 1, 20000 do
                    one:take('{"model":"m","response":"' .. i .. '","done":false}\n')
                end
                collectgarbage()
                -- By the second time the table that Lua has of all strings has grown. The pieces have 1 MB.
                before = before or collectgarbage("count")
                assert(round == 1 or collectgarbage("count") - before < 128)
            end
        end
    end)
end)

describe("a transcription", function()
    it("is counted by its length, whatever its format", function()
        local one = answer.new("transcriptions")
        one:take("1\n00:00:00,000 --> 00:00:02,000\n")
        one:take("Hello there.\n")
        assert.are.same({ prompt = 0, completion = 12, source = "counted", end_ = "complete" },
            one:finish(true, 200, 0))
    end)
end)

describe("an answer that breaks off in a large piece", function()
    it("is counted by its length", function()
        local one = answer.new("chat")
        one:take('{"model":"tiny","message":{"tool_calls":[{"function":{"arguments":{"a":"' .. ("x"):rep(8192))
        assert.are.equal(2016, one:finish(false, 200, 9).completion)
    end)
end)
