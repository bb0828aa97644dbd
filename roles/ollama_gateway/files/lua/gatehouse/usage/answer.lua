-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- How many tokens an answer took, read as it passes: piece by piece, however it is cut. Nothing is delayed, and little
-- is kept: the last bytes, which are read once at the end, and how many pieces there were, for answers that break off.

local answer_forms = require "gatehouse.usage.answer_forms"
local cjson = require "cjson.safe"
local generate_counts = require "gatehouse.usage.generate_counts"
local last_bytes = require "gatehouse.usage.last_bytes"

local KEPT = last_bytes.KEPT
local byte, find = string.byte, string.find
local ceil, max = math.ceil, math.max

local NEWLINE = byte("\n")
-- Of an answer that is no stream: about what stands around its text, and how many bytes of that make a token.
local ENVELOPE, BYTES_OF_TOKEN = 200, 4
-- What stands around the text of a piece of a stream is shorter.
local LONGEST_FRAME = 1024
-- The members that hold what a model said, in all forms.
local TEXTS = { response = true, thinking = true, content = true, text = true, reasoning = true, arguments = true }

local _M = {}
local methods = {}
local METATABLE = { __index = methods }

local function count_pieces(self, piece)
    local mark, pieces = self.mark, self.pieces
    if byte(piece) == NEWLINE and self.last == byte(mark) then
        pieces = pieces + 1
    end
    local at = find(piece, mark, 1, true)
    while at do
        pieces = pieces + 1
        at = find(piece, mark, at + 2, true)
    end
    self.pieces, self.last = pieces, byte(piece, -1)
end

-- `piece`: the next one, as it came.
function methods:take(piece)
    if piece == "" then
        return
    end
    self.first = self.first or byte(piece)
    self.size = self.size + #piece
    self.tail:add(piece)
    if self.mark then
        count_pieces(self, piece)
    end
    if self.counts then
        self.counts:take(piece)
    end
end

local function length_of_texts(value)
    local length = 0
    for key, member in pairs(value) do
        if type(member) == "table" then
            length = length + length_of_texts(member)
        elseif type(member) == "string" and TEXTS[key] then
            length = length + #member
        end
    end
    return length
end

-- How many tokens were delivered, as well as that can be told by what passed.
local function delivered(self, silent, whole)
    if not self.mark then
        return answer_forms.is_text(self.form) and ceil(self.size / BYTES_OF_TOKEN) or 0
    end
    local is_object = self.first == byte("{")
    local is_native = self.form == "generate" or self.form == "chat"
    if is_native and self.pieces > 0 or not is_native and not is_object then
        local pieces = max(self.pieces - silent, 0)
        if self.form == "responses" then
            -- Its events repeat what was asked, and what was said before.
            return pieces
        end
        -- What calls a tool, and what another server sends, may come in pieces of many tokens.
        return max(pieces, ceil((self.size - (self.pieces + 1) * LONGEST_FRAME) / BYTES_OF_TOKEN))
    end
    local object = whole and self.size <= KEPT and cjson.decode(self.tail:text())
    if type(object) == "table" then
        return ceil(length_of_texts(object) / BYTES_OF_TOKEN)
    end
    return ceil(max(self.size - ENVELOPE, 0) / BYTES_OF_TOKEN)
end

local function result(prompt, completion, source, end_)
    return { prompt = prompt, completion = completion, source = source, end_ = end_ }
end

-- `whole`: whether the last byte of the answer was seen; `estimated_prompt`: tokens of the prompt, for answers that do
-- not say them. To be called once. Returns `prompt`, `completion`, `source` and `end_`, as the ledger has them.
function methods:finish(whole, status, estimated_prompt)
    if status < 200 or status > 299 then
        return result(0, 0, "none", whole and "complete" or "broken")
    end
    local text = self.tail:text()
    if whole then
        local prompt, completion = answer_forms.at_end(self.form, text)
        if prompt then
            self.tail:forget()
            return result(prompt, completion, "server", "complete")
        end
    end
    local said = answer_forms.read(self.form, text, whole, self)
    local pieces = delivered(self, said.silent, whole)
    self.tail:forget()
    local prompt, completion = said.prompt, said.completion
    local has_zeros = prompt == 0 and completion == 0
    if said.loaded or has_zeros and self.mark and pieces == 0 then
        return result(0, 0, "none", whole and "complete" or "broken")
    end
    local end_ = said.failed and "error" or not whole and "broken" or said.ended and "complete" or "error"
    -- A prompt has at least one token, but older servers leave out one that they had in their cache.
    if prompt and completion and prompt > 0 then
        return result(prompt, completion, "server", end_)
    end
    if not completion or completion == 0 then
        completion = pieces
    end
    return result(prompt and prompt > 0 and prompt or estimated_prompt or 0, completion, "counted", end_)
end

-- `form`: generate, chat, chat_completions, completions, responses, messages, embed, embeddings_v1, embeddings_legacy,
-- transcriptions.
function _M.new(form)
    return setmetatable({
        form = form,
        mark = answer_forms.mark(form),
        size = 0,
        pieces = 0,
        tail = last_bytes.new(),
        counts = form == "generate" and generate_counts.new() or nil,
    }, METATABLE)
end

return _M
