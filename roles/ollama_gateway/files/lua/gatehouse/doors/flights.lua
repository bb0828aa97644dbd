-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- How many requests of this gateway are at each server: counted in memory that all workers share, and written down for
-- each worker beside that, since one that is killed takes nothing back.

local match = string.match

local _M = {}
local methods = {}

local function change(self, number, by)
    local held = (self.held[number] or 0) + by
    self.held[number] = held
    self.dict:incr("own:" .. number, by, 0)
    self.dict:set("held:" .. self.pid() .. ":" .. number, held)
end

function methods:begin(number)
    change(self, number, 1)
end

function methods:finish(number)
    change(self, number, -1)
end

function methods:count(number)
    return self.dict:get("own:" .. number) or 0
end

-- Takes back what workers had that live no more. `lives`: tells it of a process id.
function methods:bury(lives)
    local dict = self.dict
    for _, key in ipairs(dict:get_keys(0)) do
        local pid, number = match(key, "^held:(%d+):(%d+)$")
        if pid and not lives(pid) then
            local held = dict:get(key)
            dict:delete(key)
            dict:incr("own:" .. number, -(held or 0), 0)
        end
    end
end

-- `dict`: as ngx.shared has them; `pid`: tells this worker's process id.
function _M.new(dict, pid)
    return setmetatable({ dict = dict, pid = pid, held = {} }, { __index = methods })
end

return _M
