-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads clients/htpasswd. Errors give the line's number and never its text.

local digest = require "gatehouse.digest"

local find, gmatch, match = string.find, string.gmatch, string.match

-- sha512_crypt of nothing that anybody knows, for a file without users.
local NOBODY = "$6$rounds=5000$gatehouse$" .. ("."):rep(86)

local _M = {}

-- Returns a function that returns the hash against which the password of an unknown user is checked, so that the answer
-- takes as long as for a known one: always the same for a name. The first hash is the secret that decides which.
local function stand_in_of(list)
    if not list[1] then
        return function() return NOBODY end
    end
    return function(user)
        local sum = digest.sha256(list[1] .. ":" .. user, 0)
        return list[1 + (sum[0] + 256 * sum[1] + 65536 * sum[2]) % #list]
    end
end

-- Returns {hashes = {user = hash}, stand_in = function(user) that returns a hash}; or nil and an error.
function _M.parse(text)
    local hashes, list = {}, {}
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
            hashes[user] = hash
            list[#list + 1] = hash
        end
    end
    return { hashes = hashes, stand_in = stand_in_of(list) }
end

return _M
