-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Calls the gateway's Lua for a test in another language: words in hexadecimal, one call and one answer a line.

local apr1 = require "gatehouse.apr1"
local authorization = require "gatehouse.authorization"
local ffi = require "ffi"
local keyfile = require "gatehouse.keyfile"
local password = require "gatehouse.password"
local timestamps = require "gatehouse.timestamps"

local function hex(text)
    return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function unhex(text)
    return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local calls = {
    parse = function(header)
        local credential = authorization.parse(header)
        if not credential then
            return "refused"
        elseif credential.scheme == "bearer" then
            return "bearer " .. hex(credential.key)
        end
        return "basic " .. hex(credential.user) .. " " .. hex(credential.password)
    end,
    keys = function(text) return keyfile.parse(text) and "accepted" or "refused" end,
    apr1 = function(given, setting) return hex(apr1.crypt(given, setting)) end,
    verify = function(given, hash) return tostring(password.verify(given, hash)) end,
    time = function(text)
        return tostring(#text == 20 and timestamps.at(ffi.cast("const uint8_t *", text)) or nil)
    end,
}

io.stdout:setvbuf("line")
for line in io.lines() do
    local name, rest = line:match("^(%w+)(.*)$")
    local words = {}
    for word in rest:gmatch(" (%x*)") do
        words[#words + 1] = unhex(word)
    end
    print(calls[name](unpack(words)))
end
