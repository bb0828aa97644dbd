-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads clients/api_keys. Errors give the line's number and never its text: it may be a key.

local digest = require "gatehouse.digest"
local timestamps = require "gatehouse.timestamps"

local find = string.find
local gmatch = string.gmatch
local lower = string.lower
local match = string.match
local sub = string.sub

-- No client of the inventory can have this name.
local PLAIN_TEXT = "(plain text)"

local _M = { PLAIN_TEXT = PLAIN_TEXT }

local function plain_text_key(word)
    if not find(word, "^[%w%-._~+/]+=*$") then
        return nil, "a key in plain text may hold letters, digits and -._~+/ only, with = at its end"
    end
    local hash = digest.sha256(word)
    return hash, { client = PLAIN_TEXT, key = "sha256:" .. sub(hash, 1, 8) }
end

local function record(line)
    local word = match(line, "^%s*(%S+)%s*$")
    if word then
        return plain_text_key(word)
    end
    local name, hex, rest = match(line, "^%s*(%S+)%s+sha256:(%x+)(.*)$")
    if not name or #hex ~= 64 or not find(rest, "^%s") and rest ~= "" then
        return nil, "it must be like: alice.laptop sha256:<64 hex digits> expires=2027-01-01T00:00:00Z"
    end
    -- A client's name may hold dots, a key's id may not: the last dot parts them.
    local client, id = match(name, "^([a-z0-9][a-z0-9._-]*)%.([a-z0-9][a-z0-9_-]*)$")
    if not client then
        return nil, "it must begin with <client>.<key id>"
    end
    local expires
    for attribute in gmatch(rest, "%S+") do
        local time = match(attribute, "^expires=(.+)$")
        if not time or expires then
            -- Not skipped: what we do not understand may have been meant to shut somebody out.
            return nil, "after the hash only one expires=<time> may follow"
        end
        local err
        expires, err = timestamps.parse(time)
        if not expires then
            return nil, err
        end
    end
    return lower(hex), { client = client, key = id, expires = expires }
end

-- Returns a table from the SHA-256 of a key (in hexadecimal) to {client, key, expires}; or nil and an error.
function _M.parse(text)
    local keys = {}
    local number = 0
    for line in gmatch(text, "([^\n]*)\n?") do
        number = number + 1
        if not find(line, "^%s*$") and not find(line, "^%s*#") then
            local hash, entry = record(line)
            if not hash then
                return nil, "failed to read line " .. number .. ": " .. entry
            end
            if keys[hash] then
                return nil, "failed to read line " .. number .. ": an earlier line has the same key"
            end
            keys[hash] = entry
        end
    end
    return keys
end

return _M
