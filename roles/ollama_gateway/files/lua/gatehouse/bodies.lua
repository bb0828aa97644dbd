-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- How much memory bodies take while their requests last: counted in memory that all workers share, of all clients and
-- of each. A request reserves it before its body is read. What each worker holds is written down beside that, since one
-- that is killed gives nothing back.

local ceil, max, min = math.ceil, math.max, math.min
local match = string.match

-- client_body_buffer_size of nginx.conf: a body of this size is there twice, for nginx and for Lua. A larger one is in
-- a file, and nginx keeps its buffer.
local BUFFER = 131072
local PAGE = 4096
-- What is no larger is not counted: it takes no more than half of what each connection may have for headers anyway.
local SMALL = 8192
-- One client cannot take what all have.
local SHARE = 1 / 4
-- In seconds: so long after its last body a client's count is dropped; and longer than any look for dead workers takes.
local FORGOTTEN, LOOK = 86400, 60

local _M = {}
local methods = {}

-- The memory that a body of this size takes; 0 if that is not worth counting.
function _M.cost(size)
    if size <= SMALL then
        return 0
    end
    return ceil((size + min(size, BUFFER)) / PAGE) * PAGE
end

-- Returns the new count; nil if there is no memory for it. Others' counts are never dropped to make room.
local function count(dict, key, by, ttl)
    dict:safe_add(key, 0, ttl)
    local value = dict:incr(key, by)
    if value and ttl > 0 then
        dict:expire(key, ttl)
    end
    return value
end

local function give(self, holder, client, cost)
    if cost == 0 then
        return
    end
    self.dict:incr("client:" .. client, -cost)
    self.dict:incr("all", -cost)
    -- Nobody else counts there.
    if self.dict:incr(holder, -cost) == 0 then
        self.dict:delete(holder)
    end
end

local function holder_of(self, client)
    return "held:" .. self.pid() .. ":" .. client
end

-- Returns true; or nil, and whether it is the client's own share that is used up.
function methods:reserve(client, cost)
    local dict = self.dict
    local own = count(dict, "client:" .. client, cost, FORGOTTEN)
    if own and own > self.share then
        dict:incr("client:" .. client, -cost)
        return nil, true
    end
    local all = own and count(dict, "all", cost, 0)
    if all and all <= self.room and count(dict, holder_of(self, client), cost, 0) then
        return true
    end
    if own then
        dict:incr("client:" .. client, -cost)
    end
    if all then
        dict:incr("all", -cost)
    end
    return nil, false
end

-- The same worker gives back all of what it reserved, or a part.
function methods:give_back(client, cost)
    give(self, holder_of(self, client), client, cost)
end

-- Gives back what workers held that live no more. `lives`: tells it of a process id.
function methods:look(lives)
    local dict = self.dict
    for _, key in ipairs(dict:get_keys(0)) do
        local pid, client = match(key, "^held:(%d+):(.*)$")
        -- Another worker may be looking, too.
        if pid and not lives(pid) and dict:add("dead:" .. key, true, LOOK) then
            give(self, key, client, dict:get(key) or 0)
        end
    end
end

-- `dict`: as ngx.shared has them; `room`: bytes for all; `largest`: the size of a body that each client may have in any
-- case; `pid`: tells this worker's process id.
function _M.new(dict, room, largest, pid)
    local share = max(room * SHARE, _M.cost(largest))
    return setmetatable({ dict = dict, room = room, share = share, pid = pid }, { __index = methods })
end

return _M
