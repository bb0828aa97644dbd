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
    return entry and entry.value
end

function methods:set(key, value, ttl)
    self.entries[key] = { value = value, ends = ttl and ttl > 0 and self.now + ttl or nil }
end

function methods:incr(key, by, initial, ttl)
    local entry = live(self, key)
    if not entry then
        self:set(key, initial, ttl)
        entry = self.entries[key]
    end
    entry.value = entry.value + by
end

function methods:ttl(key)
    local entry = live(self, key)
    return entry and (entry.ends and entry.ends - self.now or 0)
end

function methods:flush_all()
    self.entries = {}
end

function _M.new()
    return setmetatable({ entries = {}, now = 1000 }, { __index = methods })
end

return _M
