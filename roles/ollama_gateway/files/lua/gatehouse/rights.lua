-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads clients/clients.json: what each client may do and how much of it, and by which certificates it is known.

local cjson = require "cjson.safe"
local client_limits = require "gatehouse.limits.clients"
local keyfile = require "gatehouse.keyfile"
local model_names = require "gatehouse.model_names"

local SCOPES = { inference = true, models_read = true, models_write = true, metrics = true, admin = true }

-- No client can have this name.
local OTHERS = "*"

local _M = { OTHERS = OTHERS }
local methods = {}

-- By what name the file speaks of a client.
local function name_of(self, client)
    return self.scopes[client] == nil and OTHERS or client
end

-- Whether a client may use a route that needs this scope. One that the file does not name may do what the file says of
-- the others, and nothing if it says nothing.
function methods:allows(client, scope)
    local scopes = self.scopes[client]
    if scopes == nil then
        scopes = self.scopes[OTHERS]
    end
    return scopes and (scope == "any" or scopes.admin or scopes[scope]) or false
end

-- Returns a function that tells whether a client may use a model of this name; nil for one that may use all.
function methods:models(client)
    return self.matchers[name_of(self, client)]
end

-- Returns the limits of a client, as limits/clients.lua has them; nil for one without. Not to be changed.
function methods:limits(client)
    return self.limits_of[name_of(self, client)]
end

-- Returns what a client may do: the names of its scopes, in order, and its models. Not to be changed.
function methods:described(client)
    local name = name_of(self, client)
    local names = {}
    for scope in pairs(self.scopes[name] or {}) do
        names[#names + 1] = scope
    end
    table.sort(names)
    return names, self.models_of[name] or { "*" }
end

-- Returns the limits of all clients that have some, by name; OTHERS is one of them. Not to be changed.
function methods:limited()
    return self.limits_of
end

-- Returns the name of the client that has a certificate with this subject, as OpenSSL writes it by RFC 2253; or nil.
function methods:with_certificate(subject)
    return self.owners[subject]
end

local function set_of(list)
    if type(list) ~= "table" then
        return nil
    end
    local set = {}
    for key, value in pairs(list) do
        if type(key) ~= "number" or type(value) ~= "string" then
            return nil
        end
        set[value] = true
    end
    return set
end

-- Returns the set of scopes and, unless it is all models, the matcher of models; or nil.
local function read(client)
    if type(client) ~= "table" then
        return nil
    end
    local models = set_of(client.models)
    if not models or not next(models) then
        return nil
    end
    local scopes = set_of(client.scopes)
    for scope in pairs(scopes or {}) do
        -- Not skipped: a scope that we do not know may have been meant as less than one that we do.
        if not SCOPES[scope] then
            return nil
        end
    end
    return scopes, not models["*"] and model_names.matcher(client.models) or nil
end

-- Makes the client the owner of its certificates. Returns whether it can be: not if another one is.
local function own(owners, name, client)
    if client.certificates == nil then
        return true
    end
    local subjects = set_of(client.certificates)
    for subject in pairs(subjects or {}) do
        -- An empty one would be that of every certificate that names nobody.
        if subject == "" or owners[subject] then
            return false
        end
        owners[subject] = name
    end
    return subjects ~= nil
end

-- Returns the rights of all clients; or nil and an error.
function _M.parse(text)
    local clients = cjson.decode(text)
    if type(clients) ~= "table" then
        return nil, "failed to read: it is not a JSON object"
    end
    local self = { scopes = {}, matchers = {}, models_of = {}, limits_of = {}, owners = {} }
    local read_limits = client_limits.reader()
    for name, client in pairs(clients) do
        local scopes, matcher = read(client)
        scopes = type(name) == "string" and scopes
        if not scopes then
            return nil, "failed to read a client: it must be a name and {scopes, models}"
        end
        if not own(self.owners, name, client) then
            return nil, "failed to read a client: its certificates must be a list of subjects that no other client has"
        end
        local limits, err = read_limits(client.limits)
        if err then
            return nil, "failed to read a client: " .. err
        end
        self.limits_of[name], self.models_of[name] = limits, client.models
        -- One that is to be gone is none of the others as long as it is named.
        self.scopes[name], self.matchers[name] = client.absent == nil and scopes, matcher
    end
    -- Keys in plain text belong to no client of the inventory; they have the scopes that a client has by default.
    self.scopes[keyfile.PLAIN_TEXT] = set_of({ "inference", "models_read" })
    self.limits_of[keyfile.PLAIN_TEXT] = self.limits_of[OTHERS]
    return setmetatable(self, { __index = methods })
end

return _M
