-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- SHA-256 and MD5 from OpenSSL's libcrypto: the one that nginx has loaded, or the system's under a plain luajit.

local ffi = require "ffi"

local byte = string.byte
local ffi_string = ffi.string
local pcall = pcall

ffi.cdef [[
int SHA256_Init(void *context);
int SHA256_Update(void *context, const void *data, size_t length);
int SHA256_Final(unsigned char *digest, void *context);
int MD5_Init(void *context);
int MD5_Update(void *context, const void *data, size_t length);
int MD5_Final(unsigned char *digest, void *context);
]]

local crypto = ffi.C
if not pcall(function() return crypto.SHA256_Init end) then
    crypto = ffi.load("libcrypto.so.3")
end

-- Larger than any version's SHA256_CTX (112 bytes) and MD5_CTX (92 bytes), aligned for both.
local context = ffi.new("uint64_t[32]")
local output = ffi.new("unsigned char[32]")
local hex = ffi.new("unsigned char[64]")
local DIGITS = "0123456789abcdef"

local _M = {}

-- Returns 64 hexadecimal digits.
function _M.sha256(text)
    crypto.SHA256_Init(context)
    crypto.SHA256_Update(context, text, #text)
    crypto.SHA256_Final(output, context)
    for i = 0, 31 do
        local low = output[i] % 16
        hex[2 * i] = byte(DIGITS, (output[i] - low) / 16 + 1)
        hex[2 * i + 1] = byte(DIGITS, low + 1)
    end
    return ffi_string(hex, 64)
end

-- Returns 16 raw bytes.
function _M.md5(text)
    crypto.MD5_Init(context)
    crypto.MD5_Update(context, text, #text)
    crypto.MD5_Final(output, context)
    return ffi_string(output, 16)
end

return _M
