-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Apache's variant of md5-crypt, which crypt(3) does not know.

local bit = require "bit"
local digest = require "gatehouse.digest"

local band, rshift = bit.band, bit.rshift
local md5 = digest.md5
local byte, match, rep, sub = string.byte, string.match, string.rep, string.sub
local concat = table.concat

local ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
-- The order in which the bytes of the digest are written, three at a time; the twelfth stands alone at the end.
local GROUPS = { { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 16 }, { 5, 11, 6 } }

local _M = {}

local function encode(value, digits)
    local text = {}
    for i = 1, digits do
        local index = value % 64
        text[i] = sub(ALPHABET, index + 1, index + 1)
        value = (value - index) / 64
    end
    return concat(text)
end

local function write(sum)
    local text = {}
    for i, group in ipairs(GROUPS) do
        local high, middle, low = byte(sum, group[1]), byte(sum, group[2]), byte(sum, group[3])
        text[i] = encode(high * 65536 + middle * 256 + low, 4)
    end
    text[#text + 1] = encode(byte(sum, 12), 2)
    return concat(text)
end

-- Returns the hash of the password with the salt of `setting` ("$apr1$salt$..."); or nil and an error.
function _M.crypt(password, setting)
    local salt = match(setting, "^%$apr1%$([^$]+)")
    if not salt then
        return nil, "failed to read the hash: it is not of apr1"
    end
    salt = sub(salt, 1, 8)

    local inner = md5(password .. salt .. password)
    local start = { password, "$apr1$", salt, sub(rep(inner, #password / 16 + 1), 1, #password) }
    local length = #password
    while length > 0 do
        start[#start + 1] = band(length, 1) == 1 and "\0" or sub(password, 1, 1)
        length = rshift(length, 1)
    end

    local sum = md5(concat(start))
    for i = 0, 999 do
        local odd = i % 2 == 1
        sum = md5((odd and password or sum)
            .. (i % 3 ~= 0 and salt or "")
            .. (i % 7 ~= 0 and password or "")
            .. (odd and sum or password))
    end
    return "$apr1$" .. salt .. "$" .. write(sum)
end

return _M
