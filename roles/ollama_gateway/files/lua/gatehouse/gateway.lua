-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the other modules: the only one that touches ngx.

local authenticator = require "gatehouse.authenticator"
local cjson = require "cjson.safe"
local htpasswd = require "gatehouse.htpasswd"
local keyfile = require "gatehouse.keyfile"
local password = require "gatehouse.password"
local rights = require "gatehouse.rights"
local routes = require "gatehouse.routes"
local watched_file = require "gatehouse.watched_file"

local assert = assert
local error = error
local ipairs = ipairs
local ngx = ngx
local open = io.open

-- "gatehouse", hashed with each of the two engines that password.lua has.
local KNOWN_HASHES = {
    "$6$gatehouse$RPWCL9qqyuSfz9s8FO/d0tFnN14nyHzVwLFWYJHnHrAU6CUfExT"
        .. "F8gLGJlzVSH7MBAYW6ZcrFLtqOenohn9VV/",
    "$apr1$gateway$CmtZp20..iHm7rI7dtPbt/",
}

local _M = {}
local identities, table_of_routes, rights_of_clients
local files = {}

local function write(_, message)
    ngx.log(ngx.CRIT, message)
end

-- From a timer: within a request nginx would add the request with its query, which may hold a secret.
local function log(message)
    local phase = ngx.get_phase()
    if phase == "init" or not ngx.timer.at(0, write, message) then
        write(nil, message)
    end
end

local function read_settings(path)
    local file = assert(open(path, "rb"))
    local settings, err = cjson.decode(file:read("*a"))
    file:close()
    if not settings then
        error("failed to read " .. path .. ": " .. err)
    end
    return settings
end

local function watch(path, parse)
    local file = watched_file.new(path, parse, log)
    files[#files + 1] = file
    -- Read now: workers start with it, and damage shows in the log at once.
    file:value()
    return function()
        return file:value()
    end
end

-- In a thread: a hash takes milliseconds to seconds, in which the event loop serves others.
local function verify(given, hash)
    local ok, result = ngx.run_worker_thread("passwords", "gatehouse.password", "verify", given, hash)
    if not ok then
        return nil, "failed to check a password: " .. result
    end
    return result
end

-- Run once, also by `nginx -t`: what fails here never replaces a running configuration.
function _M.init(folder)
    local settings = read_settings(folder .. "/conf/settings.json")
    for _, hash in ipairs(KNOWN_HASHES) do
        assert(password.verify("gatehouse", hash), "this image cannot check passwords")
    end
    identities = authenticator.new({
        accepts = settings.accepts,
        keys = watch(folder .. "/clients/api_keys", keyfile.parse),
        users = watch(folder .. "/clients/htpasswd", htpasswd.parse),
        verify = verify,
    })
    table_of_routes = routes.new(settings.routes, settings.parameters)
    rights_of_clients = watch(folder .. "/clients/clients.json", rights.parse)
end

-- An idle worker must not miss a revocation that is followed by damage: it would go on with what came before both.
function _M.init_worker()
    local ok, err = ngx.timer.every(1, function()
        for _, file in ipairs(files) do
            file:value()
        end
    end)
    if not ok then
        log("failed to start the timer: " .. err)
    end
end

-- Who is it? Ends the request if nobody can tell.
local function authenticate()
    local var = ngx.var
    local identity, refusal = identities:identify(var.http_authorization, var.http_x_api_key, ngx.time())
    if identity then
        var.gatehouse_client = identity.client
        var.gatehouse_key = identity.key
        return identity
    end
    if refusal.err then
        log(refusal.err)
    end
    -- Not ngx.header, which holds one WWW-Authenticate only.
    var.gatehouse_bearer_challenge = refusal.bearer_challenge
    var.gatehouse_basic_challenge = refusal.basic_challenge
    return ngx.exit(refusal.status)
end

function _M.access()
    local identity = authenticate()
    local route = table_of_routes:find(ngx.req.get_method(), ngx.var.request_uri)
    if not route then
        return ngx.exit(ngx.HTTP_NOT_FOUND)
    end
    local file = rights_of_clients()
    if not file or not file:allows(identity.client, route.scope) then
        return ngx.exit(ngx.HTTP_FORBIDDEN)
    end
end

return _M
