-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Adds what this gateway's ledger has to what all gateways used, each line once. The store itself keeps up to which
-- byte it has the file of a day: a piece that starts there is added, any other changes nothing and is told where to go
-- on. So an answer that was lost, a replica that is behind, and a store that was emptied are made good by sending on
-- from there.
--
-- Of yesterday as well, for lines may come late; what is older limits nobody any more.

local cjson = require "cjson.safe"
local scopes = require "gatehouse.limits.scopes"

local date = os.date
local floor = math.floor

-- In seconds: a day, and how long the store keeps one.
local DAY, KEPT = 86400, 8 * 86400
-- How many pieces are sent in a turn.
local MOST = 64

local _M = {}
local methods = {}

local function add(list, places, scope, tokens)
    local place = places[scope]
    if not place then
        place = #list + 1
        places[scope], list[place] = place, { scope, 0 }
    end
    list[place][2] = list[place][2] + tokens
end

-- A list of {scope, tokens}: of each client, and of each pattern of models that it has limits on.
local function increments(sums, rights)
    local list, places = {}, {}
    for client, models in pairs(sums) do
        local limits = rights:limits(client)
        for model, sum in pairs(models) do
            local tokens = sum[2] + sum[3]
            if tokens > 0 then
                add(list, places, client, tokens)
                for i, scope in ipairs(limits and scopes.of(client, limits, model) or {}) do
                    -- The first is the client's own.
                    if i > 1 then
                        add(list, places, scope.name, tokens)
                    end
                end
            end
        end
    end
    return list
end

-- By its first line a file is told from another one that a gateway of this name had on that day: one that lost its disk
-- begins anew, and what the store has of before stays.
local function name_of(self, day)
    local first = not self.names[day] and self.first(day)
    if first then
        self.names[day] = self.gateway .. " " .. first
    end
    return self.names[day]
end

-- Sends a piece. Returns up to which byte it is settled; or nil and an error. A store that knows of less than it did
-- has forgotten more.
local function settle(self, day, name, from, to, list)
    local at, err = self.store:try("settle", { "settled:" .. day, "day:" .. day },
        { name, from, to, KEPT, #list > 0 and cjson.encode(list) or "[]" })
    if not at then
        return nil, err
    elseif at < from and at < to then
        self.store:doubt()
    end
    self.settled[day .. name] = at
    return at
end

-- Sends what the file of a day has beyond what is known to be settled. Returns whether it came to the end; nil and an
-- error where the store did not take it.
local function settle_day(self, day, rights)
    local name = name_of(self, day)
    if not name then
        return true
    end
    for _ = 1, MOST do
        local from = self.settled[day .. name] or 0
        local sums, to, is_end, size = self.read(day, from)
        if not sums then
            return false
        elseif size then
            -- It lost what it had got last, as after a power failure. What comes now has to count.
            to = size
        elseif to == from then
            return true
        end
        local at, err = settle(self, day, name, from, to, size and {} or increments(sums, rights))
        if not at then
            return nil, err
        elseif is_end and at == to then
            return true
        end
    end
    return false
end

local function days(self)
    local today = floor(self.now() / DAY)
    return { date("!%Y-%m-%d", today * DAY), date("!%Y-%m-%d", (today - 1) * DAY) }
end

-- Sends what is new. Returns true; or nil and an error where the store is lost. To be called again and again by one
-- worker.
function methods:turn()
    local rights = self.rights()
    for _, day in ipairs(rights and days(self) or {}) do
        local ok, err = settle_day(self, day, rights)
        if ok == nil then
            return nil, err
        end
    end
    return true
end

-- Whether the store has still all that was sent, takes writes, and is the right one. Returns true; or nil and an error.
-- To be called once a second by that worker; no disk is read for it.
function methods:check()
    self.store:check_master()
    for _, day in ipairs(days(self)) do
        local name = self.names[day] or self.gateway
        local from = self.settled[day .. name] or 0
        local at, err = settle(self, day, name, from, from, {})
        if not at then
            return nil, err
        end
    end
    return true
end

-- `store`: as state/store.lua makes it; `gateway`: the name of this one; `now`: tells the time in seconds; `rights`:
-- those of clients.json, nil if they cannot be read; `first`, `read`: get a day, and a byte, and return what
-- usage/day_sums.lua does.
function _M.new(options)
    options.settled, options.names = {}, {}
    return setmetatable(options, { __index = methods })
end

return _M
