-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Remembers what an address presented rightly: passwords, so that a strong hash is computed once in a while and not for
-- each request, and both passwords and keys that can be guessed, so that failures of others shut nobody out who was in.
-- It stands in memory that all workers share. Neither the header nor the password is kept: a header is known together
-- with its address by their HMAC (RFC 2104) under a random key that is new at each start. With a password stands the
-- hash of the file that it matched: as soon as the file has another one for the user, or none, the memory counts no
-- more.

local find, sub = string.find, string.sub

-- In seconds: for how long after its last use it is no guess to present it once more.
local KEPT = 86400

local _M = {}
local methods = {}

-- What an address and a header are known by, in the following methods. No header holds a NUL.
function methods:mark(address, header)
    return self.sign(address .. "\0" .. header)
end

-- Returns the user whose password the header held, and still holds, and whether that was seen so short a time ago that
-- no hash need be computed; or nil. `time`: in seconds since 1970.
function methods:recall(mark, hashes, time)
    local value, seen = self.dict:get(mark)
    if not value then
        return nil
    end
    -- No hash holds a colon.
    local colon = find(value, ":", 1, true)
    local user = sub(value, colon + 1)
    if hashes[user] ~= sub(value, 1, colon - 1) then
        return nil
    end
    return user, time - seen < self.ttl
end

function methods:remember(mark, user, hash, time)
    self.dict:set(mark, hash .. ":" .. user, KEPT, time)
end

-- Whether a key was right.
function methods:knows_key(mark)
    return self.dict:get(mark) ~= nil
end

function methods:remember_key(mark)
    self.dict:set(mark, ":", KEPT)
end

-- `dict`: as ngx.shared has them; `sign`: a function that returns a keyed digest of a text; `ttl`: for how many seconds
-- a password needs no other hash, 0: never.
function _M.new(dict, sign, ttl)
    return setmetatable({ dict = dict, sign = sign, ttl = ttl }, { __index = methods })
end

return _M
