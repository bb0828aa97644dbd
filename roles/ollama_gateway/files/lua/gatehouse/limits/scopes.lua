-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Under which names is counted. A client is one scope, and it and each pattern of models that it has limits on another.
-- Scopes and their keys are made once and kept with the limits, for each request needs some.

local _M = {}

-- So many keys of minutes or days are kept. Two are in use, and others when a ledger is read.
local MOST_KEYS = 4

local function new_keys()
    return { count = 0 }
end

local function new_scope(name, limits, pattern)
    return { name = name, limits = limits, pattern = pattern, r = new_keys(), t = new_keys(), d = new_keys() }
end

local function new_scopes(client, limits)
    local all = { [0] = { new_scope(client, limits) } }
    for i, entry in ipairs(limits.models) do
        -- No name of a client has a colon.
        all[i] = new_scope(client .. ":" .. entry.pattern, entry.limits, entry.pattern)
    end
    return all
end

-- All scopes of a client: those of its patterns in their order, and at 0 a list of the one that is its own.
local function scopes_of(client, limits)
    local known = limits.scopes
    if not known then
        known = {}
        limits.scopes = known
    end
    local all = known[client]
    if not all then
        all = new_scopes(client, limits)
        known[client] = all
    end
    return all
end

-- Those whose limits a request for this model has, the client first: {name, limits, pattern}; `pattern` is nil for the
-- client itself. Not to be changed. `model`: "" if it is not known; nil for all models.
function _M.of(client, limits, model)
    local all = scopes_of(client, limits)
    if not all[1] then
        return all[0]
    end
    local scopes = { all[0][1] }
    for i, entry in ipairs(limits.models) do
        if model == nil or entry.matcher(model) then
            scopes[#scopes + 1] = all[i]
        end
    end
    return scopes
end

local function new_key(scope, kind, number)
    if scope[kind].count == MOST_KEYS then
        scope[kind] = new_keys()
    end
    local keys, key = scope[kind], kind .. ":" .. number .. ":" .. scope.name
    keys[number], keys.count = key, keys.count + 1
    return key
end

function _M.requests(scope, minute)
    return scope.r[minute] or new_key(scope, "r", minute)
end

function _M.tokens(scope, minute)
    return scope.t[minute] or new_key(scope, "t", minute)
end

function _M.tokens_of_day(scope, day)
    return scope.d[day] or new_key(scope, "d", day)
end

return _M
