-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the other modules: the only one that touches ngx.

local authenticator = require "gatehouse.authenticator"
local body_model = require "gatehouse.body_model"
local cjson = require "cjson.safe"
local form_model = require "gatehouse.form_model"
local htpasswd = require "gatehouse.htpasswd"
local keyfile = require "gatehouse.keyfile"
local model_lists = require "gatehouse.model_lists"
local password = require "gatehouse.password"
local rights = require "gatehouse.rights"
local routes = require "gatehouse.routes"
local watched_file = require "gatehouse.watched_file"
local watched_folder = require "gatehouse.watched_folder"

local assert = assert
local collectgarbage = collectgarbage
local concat = table.concat
local error = error
local ipairs = ipairs
local match = string.match
local ngx = ngx
local open = io.open

-- "gatehouse", hashed with each of the two engines that password.lua has.
local KNOWN_HASHES = {
    "$6$gatehouse$RPWCL9qqyuSfz9s8FO/d0tFnN14nyHzVwLFWYJHnHrAU6CUfExT"
        .. "F8gLGJlzVSH7MBAYW6ZcrFLtqOenohn9VV/",
    "$apr1$gateway$CmtZp20..iHm7rI7dtPbt/",
}

-- How much of a body that waits in a file is read at once, and how often others get their turn.
local PIECE = 65536
local PIECES_A_TURN = 16

-- In percent of the memory that is in use: LuaJIT's own is 200.
local GARBAGE_PAUSE = 400

local _M = {}
local identities, table_of_routes, rights_of_clients
local files = {}
local folder_of_clients, path_of_clients
local unsettled = false

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
    file:look()
    return function()
        return file.good
    end
end

local function look_at_files()
    unsettled = false
    for _, file in ipairs(files) do
        file:look()
        unsettled = unsettled or not file.settled
    end
end

-- Before each request is judged: what changed until now counts for it.
local function refresh()
    if folder_of_clients:stirred() or unsettled then
        look_at_files()
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
    path_of_clients = folder .. "/clients"
    identities = authenticator.new({
        accepts = settings.accepts,
        keys = watch(path_of_clients .. "/api_keys", keyfile.parse),
        users = watch(path_of_clients .. "/htpasswd", htpasswd.parse),
        verify = verify,
    })
    table_of_routes = routes.new(settings.routes, settings.parameters)
    rights_of_clients = watch(path_of_clients .. "/clients.json", rights.parse)
end

function _M.init_worker()
    local err
    folder_of_clients, err = watched_folder.new(path_of_clients)
    if err then
        log(err .. "; each request looks at its files instead")
    end
    look_at_files()
    -- What each request leaves behind is collected half as often, for some memory.
    collectgarbage("setpause", GARBAGE_PAUSE)
    -- An idle worker must not miss a revocation that is followed by damage: it would go on with what came before both.
    -- And not every change of a file is told.
    local ok
    ok, err = ngx.timer.every(1, look_at_files)
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

-- Returns a function that returns the body of the request piece by piece. What is too large for memory waits in a file
-- below /tmp, which is memory of the container as well: no disk makes the event loop wait.
local function pieces_of_body()
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    local path = not text and ngx.req.get_body_file()
    if not path then
        return function()
            local whole = text
            text = nil
            return whole
        end
    end
    local file = assert(open(path, "rb"))
    local count = 0
    return function()
        count = count + 1
        if count % PIECES_A_TURN == 0 then
            ngx.sleep(0)
        end
        local piece = file:read(PIECE)
        if not piece then
            file:close()
        end
        return piece
    end
end

-- The names of the models that a request is about. Ends it if they cannot be told.
local function models_of_request(route, parameter)
    if route.model == "path" then
        return { parameter }
    end
    local var = ngx.var
    if var.http_content_encoding then
        return ngx.exit(415)
    end
    local names, reason
    if route.model == "form" then
        -- The query as it goes on: Ollama would take a model from there.
        local query = match(var.request_uri, "%?(.*)")
        names, reason = form_model.read(pieces_of_body(), route.fields, var.http_content_type, query)
    else
        names, reason = body_model.read(pieces_of_body(), route.fields)
    end
    if not names then
        var.gatehouse_reason = reason
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end
    return names
end

local function check_models(may, route, parameter)
    local names = models_of_request(route, parameter)
    if not may then
        return
    end
    for _, name in ipairs(names) do
        if not may(name) then
            return ngx.exit(ngx.HTTP_FORBIDDEN)
        end
    end
end

function _M.access()
    refresh()
    local identity = authenticate()
    local route, parameter = table_of_routes:find(ngx.req.get_method(), ngx.var.request_uri)
    if not route then
        return ngx.exit(ngx.HTTP_NOT_FOUND)
    end
    local file = rights_of_clients()
    if not file or not file:allows(identity.client, route.scope) then
        return ngx.exit(ngx.HTTP_FORBIDDEN)
    end
    local may = file:models(identity.client)
    if route.model == "body" or route.model == "form" or route.model == "path" then
        return check_models(may, route, parameter)
    elseif route.model == "list" and may then
        ngx.ctx.shown = { key = route.fields[1], may = may, parts = {} }
    end
end

-- The length of a list changes with what is taken out of it.
function _M.header_filter()
    if ngx.ctx.shown then
        ngx.header.content_length = nil
    end
end

-- A list is held until it is whole; a list that cannot be read is not shown.
function _M.body_filter()
    local shown = ngx.ctx.shown
    if not shown then
        return
    end
    shown.parts[#shown.parts + 1] = ngx.arg[1]
    ngx.arg[1] = nil
    if ngx.arg[2] then
        local text = concat(shown.parts)
        if ngx.status == ngx.HTTP_OK and text ~= "" then
            local err
            text, err = model_lists.filter(text, shown.key, shown.may)
            if not text then
                log("failed to read the list of models: " .. err)
                text = '{"' .. shown.key .. '":[]}'
            end
        end
        ngx.arg[1] = text
    end
end

return _M
