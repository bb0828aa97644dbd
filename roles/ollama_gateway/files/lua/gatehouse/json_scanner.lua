-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Walks through JSON (RFC 8259) that comes in pieces, strictly, and holds no more of it than a piece. What a lenient
-- reader could take in two ways is an error here.

local byte = string.byte
local char = string.char
local concat = table.concat
local error = error
local find = string.find
local pcall = pcall
local setmetatable = setmetatable
local sub = string.sub
local tonumber = tonumber

local DEPTH = 512
-- No key and no name that anybody looks for is longer.
local LONGEST = 65536

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local LITERALS = { ["true"] = true, ["false"] = true, ["null"] = true }

local _M = {}
local methods = {}

local function fail(message)
    error({ message = message }, 0)
end

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

local function expect(self, wanted)
    skip_space(self)
    if take(self) ~= wanted then
        fail("the body is not JSON")
    end
end

-- Takes what follows if it is this character.
local function accept(self, wanted)
    skip_space(self)
    if peek(self) ~= byte(wanted) then
        return false
    end
    self.position = self.position + 1
    return true
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

-- Reads a string and returns what it means; or, to skip it, nothing.
local function read_string(self, skip)
    expect(self, '"')
    local parts, length = {}, 0
    while true do
        local position = find(self.text, '["\\%z\1-\31]', self.position)
        if not skip then
            local part = sub(self.text, self.position, (position or 0) - 1)
            length = length + #part
            if length > LONGEST then
                fail("the body has a name that is too long")
            end
            parts[#parts + 1] = part
        end
        if not position then
            refill(self)
        else
            self.position = position + 1
            local sign = byte(self.text, position)
            if sign == 34 then
                return not skip and concat(parts) or nil
            elseif sign ~= 92 then
                fail("the body is not JSON")
            end
            parts[skip and 1 or #parts + 1] = escape(self)
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
    skip_space(self)
    local sign = peek(self)
    if sign == 123 then
        self:object(methods.skip)
    elseif sign == 91 then
        self:array(methods.skip)
    elseif sign == 34 then
        read_string(self, true)
    else
        read_word(self)
    end
end

-- Reads a string, or null as nil; anything else is an error.
function methods:string()
    skip_space(self)
    if peek(self) == 34 then
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

-- Walks through an object: `member(self, key)` must read or skip the value.
function methods:object(member)
    enter(self)
    expect(self, "{")
    if not accept(self, "}") then
        repeat
            skip_space(self)
            local key = read_string(self)
            expect(self, ":")
            member(self, key)
        until not accept(self, ",")
        expect(self, "}")
    end
    self.depth = self.depth - 1
end

-- Walks through an array: `element(self)` must read or skip the value.
function methods:array(element)
    enter(self)
    expect(self, "[")
    if not accept(self, "]") then
        repeat
            element(self)
        until not accept(self, ",")
        expect(self, "]")
    end
    self.depth = self.depth - 1
end

-- Whether the next value begins with this character.
function methods:is(sign)
    skip_space(self)
    return peek(self) == byte(sign)
end

-- How many bytes were read.
function methods:offset()
    return self.base + self.position - 1
end

-- Nothing but space may follow.
local function finish(self)
    repeat
        if find(self.text, "[^ \t\n\r]", self.position) then
            fail("something follows the JSON of the body")
        end
        self.text, self.position = self.next_piece(), 1
    until not self.text
end

-- Calls `walk` with the scanner of a JSON text that `next_piece` returns piece by piece, and nil at the end.
-- Returns true; or nil and what is wrong, without a word of the text.
function _M.scan(next_piece, walk)
    local self = setmetatable({ next_piece = next_piece, text = "", position = 1, base = 0, depth = 0 },
        { __index = methods })
    local ok, err = pcall(function()
        walk(self)
        finish(self)
    end)
    if ok then
        return true
    end
    if not err.message then
        error(err, 0)
    end
    return nil, err.message
end

_M.fail = fail

return _M
