-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads clients/htpasswd. Errors give the line's number and never its text.

local find = string.find
local gmatch = string.gmatch
local match = string.match

-- sha512_crypt of nothing that anybody knows, for a file without users.
local NOBODY = "$6$rounds=5000$gatehouse$" .. ("."):rep(86)

local _M = {}

-- Returns {hashes = {user = hash}, stand_in = hash}; or nil and an error.
-- An unknown user is checked against the stand-in, so that the answer takes as long as for a known one.
function _M.parse(text)
    local hashes, stand_in = {}, NOBODY
    local number = 0
    for line in gmatch(text, "([^\n]*)\n?") do
        number = number + 1
        if not find(line, "^%s*$") and not find(line, "^%s*#") then
            local user, hash = match(line, "^([^:%s%c]+):(%$%w+%$[%w./$=,-]+)\r?$")
            if not user then
                return nil, "failed to read line " .. number
                    .. ": it must be <user>:<hash>, the hash one of sha512_crypt, apr1 or bcrypt"
            end
            if hashes[user] then
                return nil, "failed to read line " .. number .. ": an earlier line has the same user"
            end
            if stand_in == NOBODY then
                stand_in = hash
            end
            hashes[user] = hash
        end
    end
    return { hashes = hashes, stand_in = stand_in }
end

return _M
