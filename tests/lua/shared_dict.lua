-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What the tests have in place of a dictionary of ngx.shared: time passes when they say so.

local _M = {}
local methods = {}

local function live(self, key)
    local entry = self.entries[key]
    return entry and (not entry.ends or entry.ends > self.now) and entry or nil
end

function methods:get(key)
    local entry = live(self, key)
    if entry then
        return entry.value, entry.flags
    end
end

function methods:set(key, value, ttl, flags)
    self.entries[key] = { value = value, flags = flags, ends = ttl and ttl > 0 and self.now + ttl or nil }
end

function methods:safe_set(...)
    self:set(...)
    return true
end

function methods:safe_add(key, value, ttl)
    if live(self, key) then
        return false, "exists"
    elseif self.room == 0 then
        return false, "no memory"
    end
    self.room = self.room - 1
    self:set(key, value, ttl)
    return true
end

function methods:incr(key, by, initial, ttl)
    local entry = live(self, key)
    if not entry then
        if not initial then
            return nil, "not found"
        end
        self:set(key, initial, ttl)
        entry = self.entries[key]
    end
    entry.value = entry.value + by
    return entry.value
end

methods.add = methods.safe_add

function methods:delete(key)
    self.entries[key] = nil
end

function methods:expire(key, ttl)
    live(self, key).ends = ttl > 0 and self.now + ttl or nil
    return true
end

function methods:get_keys()
    local keys = {}
    for key in pairs(self.entries) do
        keys[#keys + 1] = live(self, key) and key
    end
    return keys
end

function methods:ttl(key)
    local entry = live(self, key)
    return entry and (entry.ends and entry.ends - self.now or 0)
end

function methods:flush_expired()
    for key in pairs(self.entries) do
        if not live(self, key) then
            self.entries[key] = nil
            self.room = self.room + 1
        end
    end
end

function methods:flush_all()
    self.entries = {}
end

-- `room`: for how many keys that `safe_add` adds; nil for any number.
function _M.new(room)
    return setmetatable({ entries = {}, now = 1000, room = room or math.huge }, { __index = methods })
end

return _M
