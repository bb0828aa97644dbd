-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the other modules: the only one that touches ngx.

local authenticator = require "gatehouse.authenticator"
local body_model = require "gatehouse.body_model"
local cjson = require "cjson.safe"
local digest = require "gatehouse.digest"
local failures = require "gatehouse.failures"
local form_model = require "gatehouse.form_model"
local htpasswd = require "gatehouse.htpasswd"
local keyfile = require "gatehouse.keyfile"
local model_lists = require "gatehouse.model_lists"
local model_names = require "gatehouse.model_names"
local password = require "gatehouse.password"
local password_memory = require "gatehouse.password_memory"
local rights = require "gatehouse.rights"
local routes = require "gatehouse.routes"
local watched_file = require "gatehouse.watched_file"
local watched_folder = require "gatehouse.watched_folder"

local assert = assert
local collectgarbage = collectgarbage
local concat = table.concat
local error = error
local find = string.find
local ipairs = ipairs
local match = string.match
local ngx = ngx
local open = io.open
local pcall = pcall

-- "gatehouse", hashed with each of the two engines that password.lua has.
local KNOWN_HASHES = {
    "$6$gatehouse$RPWCL9qqyuSfz9s8FO/d0tFnN14nyHzVwLFWYJHnHrAU6CUfExT"
        .. "F8gLGJlzVSH7MBAYW6ZcrFLtqOenohn9VV/",
    "$apr1$gateway$CmtZp20..iHm7rI7dtPbt/",
}

-- How much of a body that waits in a file is read at once, and how often others get their turn.
local PIECE = 65536
local PIECES_A_TURN = 16
-- How large a file of clients may be to be read in one go, in bytes, and in seconds how often a request looks whether
-- one that is larger has been read.
local AT_ONCE = 262144
local WAIT = 0.002

-- In seconds: how long a check of a password may take, and after which time it is tried again to begin one.
local LONGEST_CHECK = 30
local TURN = 0.01

-- Bytes of the key under which passwords are remembered.
local KEY_SIZE = 32

-- In percent of the memory that is in use: LuaJIT's own is 200.
local GARBAGE_PAUSE = 400

local _M = {}
local identities, failed_tries, table_of_routes, rights_of_clients
local files = {}
local folder_of_clients, path_of_clients
-- When a check of a password that is under way counts as lost, by hash and password.
local checked_until = {}
-- The file that is being read a part at a time.
local file_in_turns

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
    if file:changed() then
        file:read()
    end
    return function()
        return file.good
    end
end

-- Not 0: an nginx without OpenResty's patches would go on at once, before it looks for what others sent.
local function give_way()
    ngx.sleep(0.001)
end

local function read_in_turns(_, file)
    local ok, err = pcall(file.read, file, give_way)
    file_in_turns = nil
    if not ok then
        log("failed to read " .. file.path .. ": " .. err)
    end
    -- What was read before is as large.
    collectgarbage()
end

-- A large file is read a part at a time, between which others get their turn; not in a request, which may be cut off.
local function read_changed(file, size)
    if size > AT_ONCE and not file_in_turns and ngx.timer.at(0, read_in_turns, file) then
        file_in_turns = file
    else
        file:read()
    end
end

local function look_at_files()
    for _, file in ipairs(files) do
        local size = file ~= file_in_turns and file:changed()
        if size then
            read_changed(file, size)
        end
    end
end

local function wait_for_file()
    while file_in_turns do
        ngx.sleep(WAIT)
    end
end

-- Before each request is judged: what changed until now counts for it.
local function refresh()
    if file_in_turns then
        wait_for_file()
    end
    if folder_of_clients:stirred() then
        look_at_files()
        wait_for_file()
    end
end

-- In a thread: a hash takes milliseconds to seconds, in which the event loop serves others. Returns nil without an
-- error while there is no thread to be had, or while the same is being checked for another request: its answer will do.
local function verify(given, hash)
    local pair, now = hash .. ":" .. given, ngx.now()
    if (checked_until[pair] or 0) > now then
        return nil
    end
    checked_until[pair] = now + LONGEST_CHECK
    local ok, result = ngx.run_worker_thread("passwords", "gatehouse.password", "verify", given, hash)
    checked_until[pair] = nil
    if ok then
        return result
    end
    local is_busy = find(result, "no available Lua vm", 1, true)
    return nil, not is_busy and "failed to check a password: " .. result or nil
end

local function sleep_for_a_turn()
    ngx.sleep(TURN)
end

-- From the kernel, which the whole start would fail without.
local function random_key()
    local file = assert(open("/dev/urandom", "rb"))
    local key = assert(file:read(KEY_SIZE))
    file:close()
    return key
end

-- A change of what clients may present or do gives everybody a fresh start.
local function forgiving(parse)
    return function(text, pause)
        local value, err = parse(text, pause)
        if value then
            failed_tries:forget()
        end
        return value, err
    end
end

-- Run once, also by `nginx -t`: what fails here never replaces a running configuration.
function _M.init(folder)
    local settings = read_settings(folder .. "/conf/settings.json")
    for _, hash in ipairs(KNOWN_HASHES) do
        assert(password.verify("gatehouse", hash), "this image cannot check passwords")
    end
    path_of_clients = folder .. "/clients"
    failed_tries = failures.new(ngx.shared.gatehouse_failures, settings.auth_failures)
    local sign = digest.hmac(random_key())
    identities = authenticator.new({
        accepts = settings.accepts,
        keys = watch(path_of_clients .. "/api_keys", forgiving(keyfile.parse)),
        users = watch(path_of_clients .. "/htpasswd", forgiving(htpasswd.parse)),
        verify = verify,
        sleep = sleep_for_a_turn,
        memory = password_memory.new(ngx.shared.gatehouse_passwords, sign, settings.password_cache_ttl),
        failures = failed_tries,
    })
    table_of_routes = routes.new(settings.routes, settings.parameters)
    rights_of_clients = watch(path_of_clients .. "/clients.json", forgiving(rights.parse))
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
    local identity, refusal =
        identities:identify(var.http_authorization, var.http_x_api_key, ngx.time(), var.binary_remote_addr)
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
    var.gatehouse_retry_after = refusal.retry_after
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
            give_way()
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
    -- Only what is a name: whatever else stands there may be a secret.
    if names[1] and model_names.is_name(names[1]) then
        ngx.var.gatehouse_model = names[1]
    end
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
    ngx.var.gatehouse_route = route.path
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
