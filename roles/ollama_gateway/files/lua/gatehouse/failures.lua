-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counts failed tries to come in, by address and by the name that was tried, in memory that all workers share. A count
-- begins with a first failure and ends a minute later.

local max = math.max
local ceil = math.ceil
local setmetatable = setmetatable
local sub = string.sub

local WINDOW = 60
-- Of one name, from all addresses together, as many as from this many addresses: more would be too many guesses at one
-- password, and fewer would let anybody shut a client out.
local ADDRESSES = 10
-- Whoever has an IPv6 address mostly has all that begin with the same 64 bits.
local NETWORK = 8

local _M = {}
local methods = {}

local function address_key(address)
    return "a" .. (#address == 16 and sub(address, 1, NETWORK) or address)
end

local function wait_for(self, key, limit)
    if (self.dict:get(key) or 0) < limit then
        return 0
    end
    return max(1, ceil(self.dict:ttl(key) or 1))
end

-- Returns the seconds after which a further try is allowed; or nil if it is allowed now. `address`: 4 or 16 bytes;
-- `user`: nil where no name was tried.
function methods:wait(address, user)
    if self.limit == 0 then
        return nil
    end
    local seconds = wait_for(self, address_key(address), self.limit)
    if user then
        seconds = max(seconds, wait_for(self, "u" .. user, self.limit * ADDRESSES))
    end
    return seconds > 0 and seconds or nil
end

function methods:failed(address, user)
    if self.limit == 0 then
        return
    end
    self.dict:incr(address_key(address), 1, 0, WINDOW)
    if user then
        self.dict:incr("u" .. user, 1, 0, WINDOW)
    end
end

function methods:forget()
    self.dict:flush_all()
end

-- `dict`: as ngx.shared has them; `limit`: failures a minute of one address, 0 for no limit.
function _M.new(dict, limit)
    return setmetatable({ dict = dict, limit = limit }, { __index = methods })
end

return _M
