-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What the last bytes of an answer say, in each form that Ollama answers in: how many tokens, and whether it is whole.
--
-- Ollama writes members in the order of its Go structures, or by their names. Counts stand at the end of all of them
-- but that of /api/generate (see generate_counts), behind whatever comes from a model or a client: names, text, tool
-- calls, tools, schemas. What stands behind them is short and the server's own. A member is taken from the one object
-- where it belongs, which nothing within a text or an object can reach into (see json_tail).

local cjson = require "cjson.safe"
local json_tail = require "gatehouse.usage.json_tail"

local members = json_tail.members
local byte, find = string.byte, string.find
local match, sub = string.match, string.sub
local max = math.max

local NEWLINE, BRACKET = byte("\n{", 1, -1)
-- No answer has more tokens; what says so is not believed.
local MOST = 2 ^ 31
-- At the end of a stream stand a few lines without any text.
local LINES = 16
local NATIVE = { "prompt_eval_count", "eval_count" }
local LOADS = { ['"load"'] = true, ['"unload"'] = true }

-- A count that is not there is 0, since Ollama leaves out what is; nil is what cannot be one.
local function count(text)
    if not text then
        return 0
    end
    local number = #text <= 10 and find(text, "^%d+$") and tonumber(text)
    return number and number <= MOST and number or nil
end

-- Goes through the lines that are not empty, from the last one on: where each begins and ends.
local function lines(text, stop)
    local left = LINES
    return function()
        while stop > 0 and byte(text, stop) == NEWLINE do
            stop = stop - 1
        end
        left = left - 1
        if stop < 1 or left < 0 then
            return nil
        end
        local last = stop
        while stop > 0 and byte(text, stop) ~= NEWLINE do
            stop = stop - 1
        end
        return stop + 1, last
    end
end

local function note_usage(said, usage, prompt, completion)
    local found = usage and members(usage, #usage, {}) or {}
    if found[prompt] then
        said.prompt, said.completion = count(found[prompt]), count(found[completion])
    end
end

local function is_stream(answer)
    return answer.first ~= BRACKET
end

local function last_members(text, stop, wanted)
    local _, last = lines(text, stop)()
    if not last then
        return {}
    end
    return members(text, last, wanted)
end

local function note_native(said, prompt, completion)
    said.prompt, said.completion = count(prompt), count(completion)
end

local function chat(said, text, stop)
    local found = last_members(text, stop, NATIVE)
    said.failed = found.error ~= nil
    said.ended = found.done == "true" or found.eval_count ~= nil
    said.loaded = LOADS[found.done_reason]
    said.silent = (said.failed or said.ended) and 1 or 0
    if said.ended then
        note_native(said, found.prompt_eval_count, found.eval_count)
    end
end

local function generate(said, text, stop, answer, whole)
    local done, reason, prompt, completion = answer.counts:said(whole)
    said.failed = last_members(text, stop, {}).error ~= nil
    said.ended = done
    said.loaded = reason == "load" or reason == "unload"
    said.silent = (said.failed or done) and 1 or 0
    if done then
        note_native(said, prompt, completion)
    end
end

-- Whether an event has nothing in it that a model said.
local function is_silent(text, from, last)
    local event = find(text, "^data: ", from) and cjson.decode(sub(text, from + 6, last))
    local choices = type(event) == "table" and event.choices
    if type(choices) ~= "table" then
        return false
    end
    local choice = choices[1]
    if type(choice) ~= "table" then
        return true
    end
    local delta = type(choice.delta) == "table" and choice.delta or {}
    return (choice.text or "") == "" and (delta.content or "") == "" and (delta.reasoning or "") == ""
        and not delta.tool_calls
end

-- The counts are in the last event before [DONE]; before that one, /v1/completions writes zeros into each.
local function choices(said, text, stop, answer)
    local has_event
    for from, last in lines(text, stop) do
        if sub(text, from, last) == "data: [DONE]" then
            said.ended = true
        else
            local found = members(text, last, { "usage" })
            if not has_event then
                note_usage(said, found.usage, "prompt_tokens", "completion_tokens")
                said.failed = found.error ~= nil
            end
            has_event = true
            if not (is_stream(answer) and is_silent(text, from, last)) then
                return
            end
            said.silent = said.silent + 1
        end
    end
end

-- That of a response, or that of the response in the event that ends a stream, which others have an empty one of.
local function responses(said, text, stop, answer)
    local _, last = lines(text, stop)()
    if not last then
        return
    end
    local found, open = members(text, last, is_stream(answer) and {} or { "usage" })
    local usage = found.usage
    if is_stream(answer) then
        said.ended = found.type == '"response.completed"' or found.type == '"response.incomplete"'
        said.failed = found.type == '"response.failed"' or found.type == '"error"'
        local within = found.response or said.ended and open and sub(text, 1, open)
        usage = within and members(within, #within, { "usage" }).usage
    end
    note_usage(said, usage, "input_tokens", "output_tokens")
end

-- The event message_start has an estimate, in an object within; its own has message_delta only.
local function messages(said, text, stop, answer)
    for from, last in lines(text, stop) do
        local found = members(text, last, {})
        if found.usage then
            note_usage(said, found.usage, "input_tokens", "output_tokens")
        end
        said.ended = said.ended or found.type == '"message_stop"' or not is_stream(answer) and found.stop_reason ~= nil
        said.failed = said.failed or found.type == '"error"'
        if sub(text, from, last) == "event: message_delta" then
            -- It ends as the events do that are counted.
            said.silent = 1
        end
        if not is_stream(answer) or find(text, "^event: content_block", from) then
            return
        end
    end
end

local function embed(said, text, stop)
    local found = last_members(text, stop, { "prompt_eval_count" })
    said.loaded = found.embeddings == "[]"
    if found.prompt_eval_count then
        note_native(said, found.prompt_eval_count)
    end
end

local function embeddings_v1(said, text, stop)
    local found = last_members(text, stop, { "usage" })
    said.loaded = found.data == "[]"
    note_usage(said, found.usage, "prompt_tokens", "completion_tokens")
end

-- It never has counts.
local function embeddings_legacy(said, text, stop)
    local _, last = lines(text, stop)()
    said.ended = last ~= nil and byte(text, last) == byte("}")
    said.loaded = last_members(text, stop, {}).embedding == "[]"
end

-- It has no counts either, and may be in any format.
local function transcriptions(said, _, _, _, whole)
    said.ended = whole
end

-- `mark`: with what each piece of a stream ends, at the end of a line, where no text can stand: each line of a native
-- stream, the data of each event, or the name of an event of type delta.
local FORMS = {
    generate = { read = generate, mark = "}\n" },
    chat = { read = chat, mark = "}\n" },
    chat_completions = { read = choices, mark = "}\n" },
    completions = { read = choices, mark = "}\n" },
    responses = { read = responses, mark = "a\n" },
    messages = { read = messages, mark = "a\n" },
    embed = { read = embed },
    embeddings_v1 = { read = embeddings_v1 },
    embeddings_legacy = { read = embeddings_legacy },
    transcriptions = { read = transcriptions, is_text = true },
}

local _M = {}

function _M.mark(form)
    return FORMS[form].mark
end

-- Whether an answer is what a model said, and nothing else.
function _M.is_text(form)
    return FORMS[form].is_text
end

-- How nearly all answers end: the counts stand last, before nothing but the brackets of the objects that they are in,
-- so no text and no object of a model can pose as them. A comma before shows that the key is a whole one.
-- `begin`, the plain text at the beginning of each pattern, is found much faster than the pattern.
local OPENAI = ',"usage":{"prompt_tokens":(%d+),"completion_tokens":(%d+),"total_tokens":%d+}}'
local CHAT = {
    begin = ',"prompt_eval_count":',
    pattern = ',"prompt_eval_count":(%d+),"prompt_eval_duration":%d+,"eval_count":(%d+),"eval_duration":%d+}\n?$',
}
local OBJECT = { begin = ',"usage":{', pattern = OPENAI .. "\n?$" }
local DONE = "\n\ndata: [DONE]\n\n"
local STREAM = { begin = ',"choices":[],', pattern = ',"choices":%[%]' .. OPENAI .. "\n\ndata: %[DONE%]\n\n$" }
-- No such end is longer.
local LONGEST_END = 256

local function counts_of(ending, last)
    local at = find(last, ending.begin, 1, true)
    if not at then
        return nil
    end
    local prompt, completion = match(last, ending.pattern, at)
    prompt, completion = count(prompt), count(completion)
    if prompt and completion and prompt > 0 and completion > 0 then
        return prompt, completion
    end
end

-- Returns what a whole answer says at its very end: the tokens of the prompt and of the answer; or nil if it does not
-- end so. `text`: its last bytes.
function _M.at_end(form, text)
    local last = sub(text, -LONGEST_END)
    if form == "chat" then
        return counts_of(CHAT, last)
    elseif form == "chat_completions" then
        return counts_of(find(last, DONE, -#DONE, true) and STREAM or OBJECT, last)
    end
end

-- `text`: the last bytes of the answer; `answer`: what was seen of it as it passed. Returns what it says: `prompt` and
-- `completion`, nil if it has no counts that can be believed; whether it `ended` as it should, `failed`, or only
-- `loaded` a model; and of how many pieces that were counted it is known that they are `silent`.
function _M.read(form, text, whole, answer)
    local said = { ended = false, failed = false, loaded = false, silent = 0 }
    local stop = #text
    -- A line that is cut could end with any object of a model.
    while not whole and stop > 0 and byte(text, stop) ~= NEWLINE do
        stop = stop - 1
    end
    FORMS[form].read(said, text, stop, answer, whole)
    said.ended = said.ended or (said.prompt or 0) > 0
    said.silent = max(said.silent, 0)
    return said
end

return _M
