-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Remembers which Authorization headers held a right password, in memory that all workers share, so that a strong hash
-- is computed once in a while and not for each request. Neither the header nor the password is kept: a header is known
-- by its HMAC (RFC 2104) under a random key that is new at each start. With it stands the hash of the file that it
-- matched: as soon as the file has another one for the user, or none, the memory counts no more.

local find = string.find
local setmetatable = setmetatable
local sub = string.sub

local _M = {}
local methods = {}

-- Returns the user whose password the header held, and still holds; or nil.
function methods:recall(header, hashes)
    local value = self.dict:get(self.sign(header))
    if not value then
        return nil
    end
    -- No hash holds a colon.
    local colon = find(value, ":", 1, true)
    local user = sub(value, colon + 1)
    return hashes[user] == sub(value, 1, colon - 1) and user or nil
end

function methods:remember(header, user, hash)
    if self.ttl > 0 then
        self.dict:set(self.sign(header), hash .. ":" .. user, self.ttl)
    end
end

-- `dict`: as ngx.shared has them; `sign`: a function that returns a keyed digest of a text; `ttl`: seconds, 0: never.
function _M.new(dict, sign, ttl)
    return setmetatable({ dict = dict, sign = sign, ttl = ttl }, { __index = methods })
end

return _M
