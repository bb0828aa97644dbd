-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Finds the counts of /api/generate while its answer passes. Behind them may stand as much as a client or a model
-- likes, log probabilities and tool calls, so the last bytes need not have them. Before them, in Ollama's
-- GenerateResponse, stand only strings, whose quotes are escaped, `done`, `done_reason` and the numbers of `context`:
-- so the first `"done":` of a line is the line's own, and what follows up to the next object is the server's.

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

local DONE, TRUE = '"done":', byte("t")
-- How nearly all lines end: with nothing behind `done`.
local NOT_DONE = '"done":false}\n'
-- What is kept of that part: `done_reason` stands at its beginning, and the counts at its end, behind the context.
local HEAD, KEPT = 256, 512

local SEEKING, NEXT_LINE, COUNTS, ENDED = 1, 2, 3, 4

local _M = {}
local methods = {}

-- Looks for `done` in the text from a place on. Returns where to go on, or nil if it needs more text.
local function seek(self, text, from)
    local at = find(text, DONE, from, true)
    local value = at and byte(text, at + #DONE)
    if not value then
        -- It may begin in this piece and end in the next one.
        self.rest = sub(text, at or -#DONE)
        return nil
    end
    self.state = value == TRUE and COUNTS or NEXT_LINE
    return at
end

local function skip_line(self, text, from)
    local at = find(text, "\n", from, true)
    if at then
        self.state = SEEKING
    end
    return at
end

local function collect(self, text, from)
    local stop = find(text, "[{\n]", from)
    local part = sub(text, from, stop and stop - 1)
    if #self.head < HEAD then
        self.head = sub(self.head .. part, 1, HEAD)
    end
    self.counts = sub(self.counts .. part, -KEPT)
    if stop then
        self.state = ENDED
    end
    return nil
end

local STEPS = { [SEEKING] = seek, [NEXT_LINE] = skip_line, [COUNTS] = collect }

function methods:take(piece)
    if self.state < COUNTS and find(piece, NOT_DONE, -#NOT_DONE, true) then
        self.state, self.rest = SEEKING, ""
        return
    end
    local text, from = piece, 1
    if self.rest ~= "" then
        text, self.rest = self.rest .. piece, ""
    end
    while from and self.state ~= ENDED do
        from = STEPS[self.state](self, text, from)
    end
end

-- The text of a value; nil if it is missing, and "" if its end is.
local function value_of(self, key)
    local value, stop = match(self.counts, key .. "([^,}]*)([,}]?)")
    return stop == "" and "" or value
end

-- `whole`: whether nothing can follow. Returns whether the answer said that it is done; why, if it said so; and the
-- texts of its two counts.
function methods:said(whole)
    if self.state ~= ENDED and not (whole and self.state == COUNTS) then
        return false
    end
    return true, match(self.head, '^"done":true,"done_reason":"(%l+)"'), value_of(self, '"prompt_eval_count":'),
        value_of(self, '"eval_count":')
end

function _M.new()
    return setmetatable({ state = SEEKING, rest = "", head = "", counts = "" }, { __index = methods })
end

return _M
