-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Walks through JSON (RFC 8259) that comes in pieces, strictly, and holds no more of it than a piece. What a lenient
-- reader could take in two ways is an error here.

local ffi = require "ffi"
local refusal = require "gatehouse.refusal"

local byte = string.byte
local char = string.char
local C = ffi.C
local catch = refusal.catch
local concat = table.concat
local fail = refusal.fail
local ffi_cast = ffi.cast
local find = string.find
local match = string.match
local setmetatable = setmetatable
local sub = string.sub
local tonumber = tonumber

-- libc's, because a prompt is long and LuaJIT does not compile string.find.
ffi.cdef "size_t strcspn(const char *text, const char *reject);"
-- What ends a run of plain characters in a string: a quote, a backslash, or one that may not stand there; NUL as well,
-- which strcspn stops at by itself.
local SPECIAL = '"\\'
for code = 1, 31 do
    SPECIAL = SPECIAL .. char(code)
end

local QUOTE, BACKSLASH, COMMA, COLON = byte('"\\,:', 1, -1)
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = byte("{}[]", 1, -1)

local DEPTH = 512
-- No key and no name that anybody looks for is longer.
local LONGEST = 65536

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local LITERALS = { ["true"] = true, ["false"] = true, ["null"] = true }

local _M = {}
local methods = {}

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

-- The next byte, which stays.
local function peek(self)
    while self.position > #self.text do
        refill(self)
    end
    return byte(self.text, self.position)
end

local function take(self)
    local value = peek(self)
    self.position = self.position + 1
    return char(value)
end

local function skip_space(self)
    while true do
        local position = find(self.text, "[^ \t\n\r]", self.position)
        if position then
            self.position = position
            return
        end
        refill(self)
    end
end

-- The next byte that is no space, which stays. Hardly ever is there more than one space, or the end of a piece: that is
-- left to a loop elsewhere, because LuaJIT does not compile a call of a function that loops.
local function peek_token(self)
    local text, position = self.text, self.position
    local value = byte(text, position)
    if value == 32 then
        position = position + 1
        value = byte(text, position)
    end
    if value and value > 32 then
        self.position = position
        return value
    end
    skip_space(self)
    return byte(self.text, self.position)
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

local function escape(self)
    local letter = take(self)
    if letter ~= "u" then
        return ESCAPES[letter] or fail("the body is not JSON")
    end
    local code = hexadecimal(self)
    if code >= 0xD800 and code < 0xE000 then
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

-- Where the next special character of a string is, or nil if none follows in this piece.
local function find_special(text, position)
    local found = position + tonumber(C.strcspn(ffi_cast("const char *", text) + (position - 1), SPECIAL))
    return found <= #text and found or nil
end

-- Skips the rest of a string that has escapes or goes on in another piece.
local function skip_rest(self)
    while true do
        local position = find_special(self.text, self.position)
        if not position then
            refill(self)
        else
            self.position = position + 1
            local sign = byte(self.text, position)
            if sign == QUOTE then
                return
            elseif sign ~= BACKSLASH then
                fail("the body is not JSON")
            end
            escape(self)
        end
    end
end

local function skip_string(self)
    expect(self, QUOTE)
    local position = find_special(self.text, self.position)
    if position and byte(self.text, position) == QUOTE then
        self.position = position + 1
        return
    end
    skip_rest(self)
end

-- Reads a string and returns what it means.
local function read_string(self)
    expect(self, QUOTE)
    -- As nearly all of them are: whole, short and plain.
    local whole, last = match(self.text, '^([%w_ :./-]*)"()', self.position)
    if last and #whole <= LONGEST then
        self.position = last
        return whole
    end
    local parts, length = {}, 0
    while true do
        local position = find_special(self.text, self.position)
        local part = sub(self.text, self.position, (position or 0) - 1)
        length = length + #part
        if length > LONGEST then
            fail("the body has a name that is too long")
        end
        parts[#parts + 1] = part
        if not position then
            refill(self)
        else
            self.position = position + 1
            local sign = byte(self.text, position)
            if sign == QUOTE then
                return concat(parts)
            elseif sign ~= BACKSLASH then
                fail("the body is not JSON")
            end
            parts[#parts + 1] = escape(self)
        end
    end
end

-- A number, true, false or null: it ends where something else begins, or with the body.
local function read_word(self)
    local parts = {}
    while true do
        local position = find(self.text, "[^%w+.-]", self.position)
        parts[#parts + 1] = sub(self.text, self.position, (position or 0) - 1)
        if position then
            self.position = position
            break
        end
        refill(self)
    end
    local word = concat(parts)
    local whole = find(word, "^-?0$") or find(word, "^-?[1-9]%d*$") or find(word, "^-?0[.eE]")
        or find(word, "^-?[1-9]%d*[.eE]")
    local rest = whole and word:gsub("^-?%d+", "", 1):gsub("^%.%d+", "", 1):gsub("^[eE][+-]?%d+$", "", 1)
    if not LITERALS[word] and rest ~= "" then
        fail("the body is not JSON")
    end
    return word
end

-- Skips any value.
function methods:skip()
    local sign = peek_token(self)
    if sign == QUOTE then
        skip_string(self)
    elseif sign == OPEN_OBJECT then
        self:object(methods.skip)
    elseif sign == OPEN_ARRAY then
        self:array(methods.skip)
    else
        read_word(self)
    end
end

-- Reads a string, or null as nil; anything else is an error.
function methods:string()
    if peek_token(self) == QUOTE then
        return read_string(self)
    elseif read_word(self) ~= "null" then
        fail("the name of the model is not a string")
    end
end

local function enter(self)
    self.depth = self.depth + 1
    if self.depth > DEPTH then
        fail("the body is nested too deeply")
    end
end

-- Walks through an object: `member(self, key, context)` must read or skip the value. The context is the caller's, who
-- needs no closure then, which LuaJIT would not compile.
function methods:object(member, context)
    enter(self)
    expect(self, OPEN_OBJECT)
    if not accept(self, CLOSE_OBJECT) then
        repeat
            local key = read_string(self)
            expect(self, COLON)
            member(self, key, context)
        until not accept(self, COMMA)
        expect(self, CLOSE_OBJECT)
    end
    self.depth = self.depth - 1
end

-- Walks through an array: `element(self)` must read or skip the value.
function methods:array(element)
    enter(self)
    expect(self, OPEN_ARRAY)
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

-- Nothing but space may follow.
local function finish(self)
    if self.position > #self.text then
        self.text, self.position = self.next_piece(), 1
        if not self.text then
            return
        end
    end
    repeat
        if find(self.text, "[^ \t\n\r]", self.position) then
            fail("something follows the JSON of the body")
        end
        self.text, self.position = self.next_piece(), 1
    until not self.text
end

local function run(self, walk, context)
    walk(self, context)
    finish(self)
end

-- Calls `walk(scanner, context)` for a JSON text that `next_piece` returns piece by piece, and nil at the end.
-- Returns true; or nil and what is wrong, without a word of the text.
function _M.scan(next_piece, walk, context)
    local self = setmetatable({ next_piece = next_piece, text = "", position = 1, base = 0, depth = 0 },
        { __index = methods })
    return catch(run, self, walk, context)
end

return _M
