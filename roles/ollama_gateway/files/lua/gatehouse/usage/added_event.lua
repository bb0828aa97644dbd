-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Takes out of a stream of /v1/chat/completions the event with the counts, which the gateway asked for and the client
-- did not. All else stays byte for byte, and in time: of an event that is cut, only what stands before its `choices`
-- waits, and those hold all that a model said. The event with the counts has none. Within a text both quotes of
-- `"choices":` would be escaped, and all that comes from a model or a client is text in this form.

local byte, find, sub = string.byte, string.find, string.sub
local concat = table.concat

local NEWLINE, CLOSE_ARRAY = byte("\n]", 1, -1)
local BEGIN, CHOICES, END = "data: {", '"choices":[', "\n\n"
-- Nothing longer comes before the choices but the name of a model that no model has.
local LONGEST = 4096

-- What becomes of the event that the stream is in.
local UNDECIDED, PASSES, DROPPED = 1, 2, 3

local _M = {}
local methods = {}
local METATABLE = { __index = methods }

-- What becomes of an event, of which so much is there: `first` to `last`.
local function decide(text, first, last, is_complete)
    local begin = sub(text, first, first + #BEGIN - 1)
    if begin ~= sub(BEGIN, 1, #begin) then
        return PASSES
    end
    local at = find(text, CHOICES, first, true)
    local value = at and at + #CHOICES <= last and byte(text, at + #CHOICES)
    if value then
        return value == CLOSE_ARRAY and DROPPED or PASSES
    end
    return (is_complete or last - first >= LONGEST) and PASSES or UNDECIDED
end

-- Where the event ends that goes on at `first`, or nil. `after_newline`: the byte before it ended a line.
local function end_of_event(text, first, after_newline)
    if after_newline and byte(text, first) == NEWLINE then
        return first
    end
    local _, last = find(text, END, first, true)
    return last
end

-- Takes a piece apart, of which the beginning may have waited.
local function walk(self, text)
    local parts, first = {}, 1
    while first <= #text do
        local stop = end_of_event(text, first, self.fate ~= UNDECIDED and self.after_newline)
        local last = stop or #text
        if self.fate == UNDECIDED then
            self.fate = decide(text, first, last, stop ~= nil)
        end
        if self.fate == UNDECIDED then
            self.waiting = sub(text, first)
        elseif self.fate == PASSES then
            parts[#parts + 1] = sub(text, first, last)
        end
        self.after_newline = byte(text, last) == NEWLINE
        if stop then
            self.fate = UNDECIDED
        end
        first = last + 1
    end
    return parts
end

-- Returns what goes on of the piece and of what waited: mostly the piece itself. `is_last`: whether none follows.
function methods:take(piece, is_last)
    -- Whole events with choices, as nearly all are.
    if self.waiting == "" and self.fate ~= DROPPED and find(piece, END, -2, true)
        and not find(piece, "[]", 1, true) then
        self.fate = UNDECIDED
        return piece
    end
    local text, waited = piece, self.waiting
    if waited ~= "" then
        text, self.waiting = waited .. piece, ""
    end
    local parts = walk(self, text)
    if is_last then
        parts[#parts + 1], self.waiting = self.waiting, ""
    end
    return concat(parts)
end

function _M.new()
    return setmetatable({ fate = UNDECIDED, waiting = "", after_newline = false }, METATABLE)
end

return _M
