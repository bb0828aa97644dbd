-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- SHA-256, MD5 and base64 from OpenSSL's libcrypto: the one that nginx has loaded, or the system's under luajit.

local bit = require "bit"
local ffi = require "ffi"

local bxor = bit.bxor
local cast, ffi_string = ffi.cast, ffi.string
local byte, char, find = string.byte, string.char, string.find
local format, gsub, rep = string.format, string.gsub, string.rep

ffi.cdef [[
int SHA256_Init(void *context);
int SHA256_Update(void *context, const void *data, size_t length);
int SHA256_Final(unsigned char *digest, void *context);
int EVP_DecodeBlock(unsigned char *output, const char *text, int length);
int MD5_Init(void *context);
int MD5_Update(void *context, const void *data, size_t length);
int MD5_Final(unsigned char *digest, void *context);
]]

local crypto = ffi.C
if not pcall(function() return crypto.SHA256_Init end) then
    crypto = ffi.load("libcrypto.so.3")
end

-- Of SHA-256, in bytes.
local BLOCK = 64
local BYTES = ffi.typeof("const unsigned char *")
-- Larger than any version's SHA256_CTX (112 bytes) and MD5_CTX (92 bytes), aligned for both.
local context = ffi.new("uint64_t[32]")
local output = ffi.new("unsigned char[32]")

local _M = {}

-- The SHA-256 of the text behind its first `skipped` bytes: 32 bytes in memory that the next call overwrites.
function _M.sha256(text, skipped)
    crypto.SHA256_Init(context)
    crypto.SHA256_Update(context, cast(BYTES, text) + skipped, #text - skipped)
    crypto.SHA256_Final(output, context)
    return output
end

-- Returns a function that returns the HMAC-SHA-256 of a text (RFC 2104) under this key of at most 64 bytes, as 32 raw
-- bytes.
function _M.hmac(key)
    key = key .. rep("\0", BLOCK - #key)
    local inner = gsub(key, ".", function(sign) return char(bxor(byte(sign), 0x36)) end)
    local outer = gsub(key, ".", function(sign) return char(bxor(byte(sign), 0x5c)) end)
    return function(text)
        local sum = ffi_string(_M.sha256(inner .. text, 0), 32)
        return ffi_string(_M.sha256(outer .. sum, 0), 32)
    end
end

-- Returns 16 raw bytes.
function _M.md5(text)
    crypto.MD5_Init(context)
    crypto.MD5_Update(context, text, #text)
    crypto.MD5_Final(output, context)
    return ffi_string(output, 16)
end

-- Decodes base64 as RFC 4648 section 4 writes it: padded, no line breaks, nothing else around it. Returns nil and an
-- error for anything else.
function _M.decode_base64(text)
    if #text % 4 ~= 0 or not find(text, "^[%w+/]*=?=?$") then
        return nil, "failed to decode: not padded base64"
    end
    local bytes = ffi.new("unsigned char[?]", #text)
    -- It counts the bytes that the padding stands for.
    local size = crypto.EVP_DecodeBlock(bytes, text, #text) - (find(text, "==$") and 2 or find(text, "=$") and 1 or 0)
    if size < 0 then
        return nil, "failed to decode: libcrypto refuses it"
    end
    return ffi_string(bytes, size)
end

-- The first `count` bytes at a place in memory, in hexadecimal digits.
function _M.hex(bytes, count)
    return (gsub(ffi_string(bytes, count), ".", function(sign) return format("%02x", sign:byte()) end))
end

return _M
