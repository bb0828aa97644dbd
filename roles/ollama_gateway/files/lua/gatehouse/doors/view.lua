-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What is known of the servers behind doors, in memory that all workers share, and each worker's copy of it. Servers
-- are numbered as they are configured.

local cjson = require "cjson.safe"
local said = require "gatehouse.doors.said"

local max, min = math.max, math.min
local gmatch = string.gmatch

-- In seconds: how long a server at which a request failed is put aside, doubled with each that fails until one does
-- not; after which time that is forgotten; and for how long a choice counts as a model being loaded: by then the door
-- knows.
local ASIDE, LONGEST_ASIDE, FORGOTTEN, LOADING = 1, 30, 120, 3

local NONE = {}

local _M = {}
local methods = {}

local function changed(self, number)
    self.dict:incr("v:" .. number, 1, 0)
    self.dict:incr("version", 1, 0)
end

local function read(self, door)
    local dict, number = self.dict, door.number
    local seen = cjson.decode(dict:get("seen:" .. number) or "") or NONE
    door.up, door.draining = seen.up == true, seen.draining == true
    door.others, door.capacity = seen.others or 0, seen.capacity or 1
    door.loaded, door.warm = seen.loaded or 0, said.set(seen.warm)
    door.aside = dict:get("aside:" .. number) or 0
    local models = dict:get("models:" .. number) or ""
    if models ~= door.names then
        door.names, door.models = models, said.set(models)
        self.having = {}
    end
end

-- Learns what changed since the last time.
function methods:refresh()
    local dict = self.dict
    local version = dict:get("version")
    if version == self.version then
        return
    end
    self.version = version
    for _, door in ipairs(self.doors) do
        local own = dict:get("v:" .. door.number)
        if own ~= door.version then
            door.version = own
            read(self, door)
        end
    end
end

-- The doors of the servers that have this model; nil where none has.
function methods:with(model)
    local found = self.having[model]
    if found then
        return found
    end
    found = {}
    for _, door in ipairs(self.doors) do
        if door.models[model] then
            found[#found + 1] = door
        end
    end
    if not found[1] then
        return nil
    end
    self.having[model] = found
    return found
end

-- A door has said this of itself (said.lua) when this gateway had so many requests there. `models`: nil if they are
-- as before.
function methods:saw(number, now_said, models, own)
    local dict = self.dict
    local text = cjson.encode({
        up = true,
        draining = now_said.draining,
        capacity = now_said.capacity,
        others = max(0, now_said.total - own),
        warm = said.joined(now_said.warm),
        loaded = now_said.loaded,
    })
    local names = models and said.joined(models)
    local has_changed = text ~= dict:get("seen:" .. number) or names and names ~= dict:get("models:" .. number)
    dict:set("seen:" .. number, text)
    if names and dict:safe_set("models:" .. number, names) then
        dict:set("tags:" .. number, now_said.tags_hash)
    end
    if has_changed then
        changed(self, number)
    end
end

-- By which the door knows that its models are known; empty if they are not.
function methods:tags_hash(number)
    return self.dict:get("models:" .. number) and self.dict:get("tags:" .. number) or ""
end

-- A door did not answer. The models that its server had are not forgotten.
function methods:missed(number)
    local text = '{"up":false}'
    if self.dict:get("seen:" .. number) ~= text then
        self.dict:set("seen:" .. number, text)
        changed(self, number)
    end
end

-- A request failed there before its answer began.
function methods:failed(number)
    local dict = self.dict
    local count = dict:incr("failures:" .. number, 1, 0, FORGOTTEN)
    dict:set("aside:" .. number, self.now() + min(ASIDE * 2 ^ (count - 1), LONGEST_ASIDE))
    changed(self, number)
end

-- A request did not fail there.
function methods:worked(number)
    if self.doors[number].aside > 0 then
        self.dict:delete("failures:" .. number)
        self.dict:delete("aside:" .. number)
        changed(self, number)
    end
end

-- The set of numbers where this gateway has just sent the first request for a model.
function methods:loading(model)
    local text = self.dict:get("loading:" .. model)
    if not text then
        return NONE
    end
    local set = {}
    for number in gmatch(text, "%d+") do
        set[tonumber(number)] = true
    end
    return set
end

function methods:loads(model, number)
    local before = self.dict:get("loading:" .. model)
    self.dict:set("loading:" .. model, before and before .. "," .. number or tostring(number), LOADING)
end

-- `dict`: as ngx.shared has them; `doors`: each `name`, `host` and `port`; `now`: tells the time in seconds.
function _M.new(dict, doors, now)
    local self = setmetatable({ dict = dict, doors = {}, now = now, having = {} }, { __index = methods })
    for number, door in ipairs(doors) do
        self.doors[number] = { number = number, name = door.name, host = door.host, port = door.port }
        read(self, self.doors[number])
    end
    return self
end

return _M
