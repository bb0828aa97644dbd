-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Walks through JSON (RFC 8259) that comes in pieces, strictly, and holds no more of it than a piece. What is judged,
-- keys and names, is read as strings; what is not is left to json_skipper, which makes none. What a lenient reader
-- could take in two ways is an error here.

local json_skipper = require "gatehouse.json_skipper"
local refusal = require "gatehouse.refusal"
local remembering = require "gatehouse.remembering"

local plain_until = json_skipper.plain_until
local catch, fail = refusal.catch, refusal.fail
local byte, char, find, sub = string.byte, string.char, string.find, string.sub
local concat, remove = table.concat, table.remove

local QUOTE, BACKSLASH, COMMA, COLON = byte('"\\,:', 1, -1)
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = byte("{}[]", 1, -1)

local SPACE = { [byte(" ")] = true, [byte("\t")] = true, [byte("\n")] = true, [byte("\r")] = true }

-- No key and no name that anybody looks for is longer. There may be many keys, and an escape in one costs as much as a
-- hundred bytes that are skipped.
local LONGEST_KEY, LONGEST_NAME = 1024, 65536
-- Each key of an object that is judged costs as much as a hundred bytes that are skipped. No request has as many.
local MOST_KEYS = 1000

-- Words, by their first byte, the length of the longest, and what may stand behind them.
local WORDS = { [byte("t")] = "true", [byte("f")] = "false", [byte("n")] = "null" }
local LONGEST_WORD = #"false"
local ENDS = { [COMMA] = true, [CLOSE_OBJECT] = true }
-- No longer text is remembered.
local SHORT = 64

-- U+FFFD, which Go reads instead of half a pair.
local REPLACEMENT = "\239\191\189"
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local _M = {}
local methods = {}
local METATABLE = { __index = methods }
-- Of scans that have ended: each has a stack, which costs as much as a short body.
local free_skippers = {}

local function refill(self)
    repeat
        local piece = self.next_piece()
        if not piece then
            fail("the body is not complete JSON")
        end
        self.base = self.base + #self.text
        self.text, self.position = piece, 1
    until piece ~= ""
end

local function take(self)
    while self.position > #self.text do
        refill(self)
    end
    self.position = self.position + 1
    return sub(self.text, self.position - 1, self.position - 1)
end

local function skip_space(self, position)
    local sign = byte(self.text, position)
    while not sign or SPACE[sign] do
        if sign then
            position = position + 1
        else
            refill(self)
            position = 1
        end
        sign = byte(self.text, position)
    end
    self.position = position
    return sign
end

-- The next byte that is no space, which stays. Mostly there is no space, or one: LuaJIT compiles what has no loop into
-- what calls it.
local function peek_token(self)
    local position = self.position
    local sign = byte(self.text, position)
    if SPACE[sign] then
        position = position + 1
        sign = byte(self.text, position)
    end
    if not sign or SPACE[sign] then
        return skip_space(self, position)
    end
    self.position = position
    return sign
end

-- Takes what follows if it is this byte.
local function accept(self, wanted)
    if peek_token(self) ~= wanted then
        return false
    end
    self.position = self.position + 1
    return true
end

local function expect(self, wanted)
    if not accept(self, wanted) then
        fail("the body is not JSON")
    end
end

local function hexadecimal(self)
    local digits = take(self) .. take(self) .. take(self) .. take(self)
    if not find(digits, "^%x%x%x%x$") then
        fail("the body is not JSON")
    end
    return tonumber(digits, 16)
end

local function utf8(code)
    if code < 0x80 then
        return char(code)
    elseif code < 0x800 then
        return char(0xC0 + (code - code % 64) / 64, 0x80 + code % 64)
    elseif code < 0x10000 then
        return char(0xE0 + (code - code % 4096) / 4096, 0x80 + (code - code % 64) / 64 % 64, 0x80 + code % 64)
    end
    local top = (code - code % 262144) / 262144
    return char(0xF0 + top, 0x80 + (code - code % 4096) / 4096 % 64, 0x80 + (code - code % 64) / 64 % 64,
        0x80 + code % 64)
end

local function escape(self, is_key)
    local letter = take(self)
    if letter ~= "u" then
        return ESCAPES[letter] or fail("the body is not JSON")
    end
    local code = hexadecimal(self)
    if code >= 0xD800 and code < 0xE000 then
        -- Nobody looks for a key that has a half or a pair: it only has to be another one for every reader.
        if is_key then
            return REPLACEMENT
        end
        -- Half a pair means different things to different readers.
        if code >= 0xDC00 or take(self) ~= "\\" or take(self) ~= "u" then
            fail("the body has half a surrogate pair")
        end
        local low = hexadecimal(self)
        if low < 0xDC00 or low >= 0xE000 then
            fail("the body has half a surrogate pair")
        end
        code = 0x10000 + (code - 0xD800) * 1024 + low - 0xDC00
    end
    return utf8(code)
end

-- Adds a part to a string of this length. Returns its new length.
local function add(parts, length, part, longest)
    length = length + #part
    if length > longest then
        fail("the body has a name that is too long")
    end
    parts[#parts + 1] = part
    return length
end

-- Whether this can stand in a string as it is.
local is_plain = remembering.new(function(text)
    return plain_until(text, 1) > #text
end, SHORT)

local function read_string_in_parts(self, longest, is_key)
    local parts, length = {}, 0
    while true do
        local position = plain_until(self.text, self.position)
        length = add(parts, length, sub(self.text, self.position, position - 1), longest)
        if position > #self.text then
            refill(self)
        else
            self.position = position + 1
            local sign = byte(self.text, position)
            if sign == QUOTE then
                return concat(parts)
            elseif sign ~= BACKSLASH then
                fail("the body is not JSON")
            end
            length = add(parts, length, escape(self, is_key), longest)
        end
    end
end

-- Reads a string and returns what it means.
local function read_string(self, longest, is_key)
    expect(self, QUOTE)
    -- As nearly all of them are: whole and plain, and one that came before.
    local text, position = self.text, self.position
    local stop = find(text, '"', position, true)
    if stop and stop - position <= longest then
        local whole = sub(text, position, stop - 1)
        if is_plain(whole) then
            self.position = stop + 1
            return whole
        end
    end
    return read_string_in_parts(self, longest, is_key)
end

local function without_space(text)
    local last = #text
    while SPACE[byte(text, last)] do
        last = last - 1
    end
    return sub(text, 1, last)
end

-- Skips what there is of a value. Returns whether it has ended.
local function skip_in_text(self)
    local position, err = self.skipper:skip(self.text, self.position)
    if err then
        fail(err)
    end
    self.position = position or #self.text + 1
    return position ~= nil
end

-- LuaJIT compiles the way by one that is whole in this piece, where there is no loop.
local function skip_in_pieces(self)
    repeat
        refill(self)
    until skip_in_text(self)
end

-- Skips any value.
function methods:skip()
    self.skipper:begin(self.depth)
    if not skip_in_text(self) then
        skip_in_pieces(self)
    end
end

-- Takes the word of JSON that follows, if it is followed by what ends it at once. Returns it, or nil.
local function word(self)
    local text, position = self.text, self.position
    local found = WORDS[byte(text, position)]
    local stop = found and position + #found
    if found and ENDS[byte(text, stop)] and sub(text, position, stop - 1) == found then
        self.position = stop
        return found
    end
end

local function raw_in_parts(self, longest)
    local parts, length = {}, 0
    self.skipper:begin(self.depth)
    repeat
        local from = self.position
        local has_ended = skip_in_text(self)
        length = length + self.position - from
        parts[#parts + 1] = length <= longest and sub(self.text, from, self.position - 1) or nil
        if not has_ended then
            refill(self)
        end
    until has_ended
    return length <= longest and without_space(concat(parts)) or nil
end

-- Reads any value. Returns its text; nil if that is longer, with the space behind it.
function methods:raw(longest)
    peek_token(self)
    local found = longest >= LONGEST_WORD and word(self)
    return found or raw_in_parts(self, longest)
end

-- Reads a string, or null as nil; anything else is an error.
function methods:string()
    if peek_token(self) == QUOTE then
        return read_string(self, LONGEST_NAME)
    end
    for i = 1, 4 do
        if take(self) ~= sub("null", i, i) then
            fail("the name of the model is not a string")
        end
    end
end

-- Walks through an object: `member(self, key, context)` must read or skip the value.
function methods:object(member, context)
    expect(self, OPEN_OBJECT)
    self.depth = self.depth + 1
    if not accept(self, CLOSE_OBJECT) then
        local keys = 0
        repeat
            keys = keys + 1
            if keys > MOST_KEYS then
                fail("the body has more members than a request can have")
            end
            local key = read_string(self, LONGEST_KEY, true)
            expect(self, COLON)
            member(self, key, context)
        until not accept(self, COMMA)
        expect(self, CLOSE_OBJECT)
    end
    self.depth = self.depth - 1
end

-- Walks through an array: `element(self)` must read or skip the value.
function methods:array(element)
    expect(self, OPEN_ARRAY)
    self.depth = self.depth + 1
    if not accept(self, CLOSE_ARRAY) then
        repeat
            element(self)
        until not accept(self, COMMA)
        expect(self, CLOSE_ARRAY)
    end
    self.depth = self.depth - 1
end

-- Whether the next value begins with this character.
function methods:is(sign)
    return peek_token(self) == byte(sign)
end

-- How many bytes were read.
function methods:offset()
    return self.base + self.position - 1
end

-- Nothing but space may follow the object.
local function run(self, member, context)
    self:object(member, context)
    local text, position = self.text, self.position
    while text do
        while SPACE[byte(text, position)] do
            position = position + 1
        end
        if position <= #text then
            fail("something follows the JSON of the body")
        end
        self.size = self.base + #text
        self.base, text, position = self.size, self.next_piece(), 1
    end
end

-- Walks through a JSON object, as `object` does, that `next_piece` returns piece by piece, and nil at the end; `first`:
-- what comes before these, if there is something. Returns true, nil, how many bytes it has, and how
-- many of them are of images; or nil and what is wrong, without a word of the text.
function _M.scan(next_piece, member, context, first)
    local skipper = remove(free_skippers) or json_skipper.new()
    skipper:reset()
    local self = setmetatable({ next_piece = next_piece, text = first or "", position = 1, base = 0, depth = 0,
        skipper = skipper }, METATABLE)
    local ok, err = catch(run, self, member, context)
    free_skippers[#free_skippers + 1] = skipper
    if not ok then
        return nil, err
    end
    return true, nil, self.size, skipper.encoded
end

return _M
