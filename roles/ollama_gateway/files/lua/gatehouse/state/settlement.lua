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
local match = string.match

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
    local first = match(self.head(day) or "", '"request_id":"(%x+)"')
    return first and self.gateway .. " " .. first
end

-- Sends a piece. Returns up to which byte it is settled; or nil and an error.
local function settle(self, day, name, from, to, list)
    return self.store:try("settle", { "settled:" .. day, "day:" .. day },
        { name, from, to, KEPT, #list > 0 and cjson.encode(list) or "[]" })
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
        local sums, to, is_end = self.read(day, from)
        if not sums then
            return false
        elseif to == from then
            return true
        end
        local at, err = settle(self, day, name, from, to, increments(sums, rights))
        if not at then
            return nil, err
        end
        self.settled[day .. name] = at
        if is_end and at == to then
            return true
        end
    end
    return false
end

-- Whether the store has still all that was sent, and takes writes. Returns true; or nil and an error.
local function check(self, day)
    local name = name_of(self, day) or self.gateway
    local from = self.settled[day .. name] or 0
    local at, err = settle(self, day, name, from, from, {})
    if not at then
        return nil, err
    end
    self.settled[day .. name] = at
    return true
end

-- A turn, to be called again and again by one worker. `checks`: whether the store is asked although there is nothing to
-- send, as it has to be once a second. Returns true; or nil and an error where the store is lost.
function methods:turn(checks)
    local rights = self.rights()
    if not rights then
        return true
    end
    local today = floor(self.now() / DAY)
    for number = today, today - 1, -1 do
        local day = date("!%Y-%m-%d", number * DAY)
        local ok, err = true, nil
        if checks then
            ok, err = check(self, day)
        end
        if ok then
            ok, err = settle_day(self, day, rights)
        end
        if ok == nil then
            return nil, err
        end
    end
    return true
end

-- `store`: as state/store.lua makes it; `gateway`: the name of this one; `now`: tells the time in seconds; `rights`:
-- those of clients.json, nil if they cannot be read; `head`: the begin of the ledger of a day, nil if there is none;
-- `read`: gets a day and a byte and returns what usage/day_sums.lua does.
function _M.new(options)
    options.settled = {}
    return setmetatable(options, { __index = methods })
end

return _M
