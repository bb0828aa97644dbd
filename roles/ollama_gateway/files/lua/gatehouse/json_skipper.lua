-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Skips a value of JSON (RFC 8259) that comes in pieces: an automaton with a stack, which takes one byte after the
-- other in the same few nanoseconds, whatever they are, and makes no string of any. What is skipped is not judged: half
-- of a surrogate pair, which Ollama takes as well, may stand there.

local bit = require "bit"
local ffi = require "ffi"

local bor, lshift = bit.bor, bit.lshift
local C, ffi_cast, ffi_fill, ffi_new = ffi.C, ffi.cast, ffi.fill, ffi.new
local min = math.min
local byte, char, rep, sub = string.byte, string.char, string.rep, string.sub

local BYTES, CHARS = ffi.typeof("const uint8_t *"), ffi.typeof("const char *")
ffi.cdef [[
size_t strcspn(const char *text, const char *reject);
size_t strspn(const char *text, const char *accept);
]]

-- How deep objects and arrays may be nested.
local DEPTH = 512
-- The first level that is too deep is noticed, and the one above it written to in vain.
local STACK = ffi.typeof("uint8_t[" .. DEPTH + 3 .. "]")

-- What the next byte may be. OPENED and CLOSED are for the one byte behind a bracket, which changes the stack. A key
-- and a string have six states: in it, behind a backslash, and at each digit of \u.
local VALUE, FIRST_VALUE, KEY, FIRST_KEY, COLON, AFTER = 0, 1, 2, 3, 4, 5
local OPENED_ARRAY, OPENED_OBJECT, CLOSED = 6, 7, 8
local IN_KEY, IN_STRING = 9, 15
local MINUS, ZERO, INTEGER, POINT, FRACTION, EXPONENT, SIGN, POWER = 21, 22, 23, 24, 25, 26, 27, 28
local IN_WORD, STATES = 29, 39
-- The value has ended, or this is no JSON.
local END, WRONG = 254, 255
-- In what the byte stands: the value that is skipped is in nothing. Each has states of its own.
local NOTHING, OBJECT, ARRAY = 0, STATES, 2 * STATES
local CONTAINERS = { NOTHING, OBJECT, ARRAY }

local SPACE, DIGITS, HEXADECIMAL = " \t\n\r", "0123456789", "0123456789abcdefABCDEF"

-- What follows, by container and state and byte.
local moves = ffi_new("uint8_t[?]", 3 * STATES * 256)
ffi_fill(moves, 3 * STATES * 256, WRONG)

local function on(state, signs, move, containers)
    for _, container in ipairs(containers or CONTAINERS) do
        for i = 1, #signs do
            moves[(container + state) * 256 + byte(signs, i)] = move
        end
    end
end

local function can_end(state)
    on(state, SPACE, AFTER)
    on(state, ",]}", END, { NOTHING })
    on(state, ",", KEY, { OBJECT })
    on(state, "}", CLOSED, { OBJECT })
    on(state, ",", VALUE, { ARRAY })
    on(state, "]", CLOSED, { ARRAY })
end

local function can_begin(state, after_space)
    on(state, SPACE, after_space)
    on(state, '"', IN_STRING)
    on(state, "{", OPENED_OBJECT)
    on(state, "[", OPENED_ARRAY)
    on(state, "-", MINUS)
    on(state, "0", ZERO)
    on(state, "123456789", INTEGER)
    local inside = IN_WORD
    for _, word in ipairs({ "true", "false", "null" }) do
        on(state, sub(word, 1, 1), inside)
        for i = 2, #word do
            on(inside, sub(word, i, i), i < #word and inside + 1 or AFTER)
            inside = inside + 1
        end
    end
end

local function string_states(inside, after)
    for code = 32, 255 do
        on(inside, char(code), inside)
    end
    on(inside, '"', after)
    on(inside, "\\", inside + 1)
    on(inside + 1, 'bfnrt"\\/', inside)
    on(inside + 1, "u", inside + 2)
    for digit = 2, 5 do
        on(inside + digit, HEXADECIMAL, digit < 5 and inside + digit + 1 or inside)
    end
end

can_begin(VALUE, VALUE)
for _, state in ipairs({ OPENED_ARRAY, FIRST_VALUE }) do
    can_begin(state, FIRST_VALUE)
    on(state, "]", CLOSED)
end
on(KEY, SPACE, KEY)
on(KEY, '"', IN_KEY)
for _, state in ipairs({ OPENED_OBJECT, FIRST_KEY }) do
    on(state, SPACE, FIRST_KEY)
    on(state, '"', IN_KEY)
    on(state, "}", CLOSED)
end
string_states(IN_KEY, COLON)
on(COLON, SPACE, COLON)
on(COLON, ":", VALUE)
string_states(IN_STRING, AFTER)
can_end(AFTER)
can_end(CLOSED)

on(MINUS, "0", ZERO)
on(MINUS, "123456789", INTEGER)
on(INTEGER, DIGITS, INTEGER)
on(POINT, DIGITS, FRACTION)
on(FRACTION, DIGITS, FRACTION)
on(EXPONENT, "+-", SIGN)
on(EXPONENT, DIGITS, POWER)
on(SIGN, DIGITS, POWER)
on(POWER, DIGITS, POWER)
for _, state in ipairs({ ZERO, INTEGER }) do
    on(state, ".", POINT)
end
for _, state in ipairs({ ZERO, INTEGER, FRACTION }) do
    on(state, "eE", EXPONENT)
end
for _, state in ipairs({ ZERO, INTEGER, FRACTION, POWER }) do
    can_end(state)
end

-- What a state does to the stack, and what it opens.
local steps = ffi_new("int8_t[256]")
local opens = ffi_new("uint8_t[256]")
steps[OPENED_OBJECT], steps[OPENED_ARRAY], steps[CLOSED] = 1, 1, -1
opens[OPENED_OBJECT], opens[OPENED_ARRAY] = OBJECT, ARRAY

-- What ends a run of plain characters in a string: a quote, a backslash, or one that may not stand there; NUL as well,
-- which strcspn stops at by itself.
local SPECIAL = '"\\'
for code = 1, 31 do
    SPECIAL = SPECIAL .. char(code)
end
-- After so many bytes it is worthwhile to ask strcspn how long a string goes on.
local BLOCK = 64
-- So many bytes in a string that base64 may have, and no others, are no text but an image.
local ENCODED = 4096
local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

local _M = {}
local methods = {}

local function plain_bytes(bytes)
    return tonumber(C.strcspn(ffi_cast(CHARS, bytes), SPECIAL))
end

-- Where a string's plain characters end that are at `position`: at a special one, or behind the text.
function _M.plain_until(text, position)
    return position + plain_bytes(ffi_cast(BYTES, text) + position - 1)
end

-- Text has a space or a stop somewhere, which ends this soon.
local function is_encoded(bytes, length)
    return C.strspn(ffi_cast(CHARS, bytes), BASE64) >= length
end

-- Takes bytes from `position` to `last`. Returns where it is, its state, its depth, and how many bytes of images there
-- were. There are no branches in the inner loop but those that end it, and nothing is called: so LuaJIT makes one piece
-- of machine code of it.
local function run(bytes, position, last, state, depth, stack)
    local encoded = 0
    while position <= last do
        if state == IN_STRING then
            local length = plain_bytes(bytes + position)
            if length >= ENCODED and is_encoded(bytes + position, length) then
                encoded = encoded + length
            end
            position = position + length
        end
        local stop = min(position + BLOCK, last)
        for at = position, stop do
            state = bor(moves[bor(lshift(stack[depth] + state, 8), bytes[at])], 0)
            if state >= END then
                return at, state, depth, encoded
            end
            stack[depth + 1] = opens[state]
            depth = bor(depth + steps[state], 0)
            if depth > DEPTH then
                return at, state, depth, encoded
            end
        end
        position = stop + 1
    end
    return position, state, depth, encoded
end

-- Before a value that is `depth` levels deep itself.
function methods:begin(depth)
    self.state, self.depth = VALUE, depth
    self.stack[depth] = NOTHING
end

-- Goes on with a piece of the text, at `position`. Returns where the value has ended, at the sign that follows it, or
-- nil if it goes on in the next piece; or nil and what is wrong.
function methods:skip(text, position)
    if text ~= self.text then
        -- Counted from 1, as in Lua.
        self.text, self.bytes = text, ffi_cast(BYTES, text) - 1
    end
    local encoded
    position, self.state, self.depth, encoded =
        run(self.bytes, position, #text, self.state, self.depth, self.stack)
    self.encoded = self.encoded + encoded
    if self.state == END then
        return position
    elseif self.state == WRONG then
        return nil, "the body is not JSON"
    elseif self.depth > DEPTH then
        return nil, "the body is nested too deeply"
    end
    return nil
end

-- Before another text. The one before may be gone, and its memory another one's.
function methods:reset()
    self.text, self.bytes, self.encoded = nil, nil, 0
end

-- Its `encoded`: how many bytes were of images, in all that it skipped since.
function _M.new()
    return setmetatable({ stack = STACK(), encoded = 0 }, { __index = methods })
end

-- LuaJIT gives up on a loop that it saw end too soon too often, which a client could bring about with short values. So
-- it is compiled before there are any.
local function compile()
    local skipper = _M.new()
    skipper:begin(1)
    skipper:skip('["' .. rep("a", 1000) .. '",' .. rep("[0],", 10000), 1)
end

compile()

return _M
