-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the other modules: beside those called requests.lua the only one that touches ngx.

local authenticator = require "gatehouse.authenticator"
local bodies = require "gatehouse.bodies"
local body_model = require "gatehouse.body_model"
local cjson = require "cjson.safe"
local client_files = require "gatehouse.client_files"
local digest = require "gatehouse.digest"
local doors = require "gatehouse.doors.requests"
local failures = require "gatehouse.failures"
local first_requests = require "gatehouse.first_requests"
local form_model = require "gatehouse.form_model"
local hold = require "gatehouse.hold"
local htpasswd = require "gatehouse.htpasswd"
local jit_options = require "jit.opt"
local keyfile = require "gatehouse.keyfile"
local memory = require "gatehouse.memory"
local metrics = require "gatehouse.metrics.requests"
local model_lists = require "gatehouse.model_lists"
local model_names = require "gatehouse.model_names"
local own_view = require "gatehouse.own_view"
local password = require "gatehouse.password"
local password_memory = require "gatehouse.password_memory"
local rights = require "gatehouse.rights"
local routes = require "gatehouse.routes"
local usage = require "gatehouse.usage.requests"
local waiting = require "gatehouse.waiting"

local open, stderr = io.open, io.stderr
local find, lower, match = string.find, string.lower, string.match
local concat = table.concat

-- "gatehouse", hashed with each of the two engines that password.lua has.
local KNOWN_HASHES = {
    "$6$gatehouse$RPWCL9qqyuSfz9s8FO/d0tFnN14nyHzVwLFWYJHnHrAU6CUfExT"
        .. "F8gLGJlzVSH7MBAYW6ZcrFLtqOenohn9VV/",
    "$apr1$gateway$CmtZp20..iHm7rI7dtPbt/",
}

-- How much of a body that waits in a file is read at once, and after how many seconds of that others get their turn.
local PIECE, LONGEST_TURN = 65536, 0.005

-- In seconds: how long a check of a password may take, and after which time it is tried again to begin one.
local LONGEST_CHECK, TURN = 30, 0.01

-- Bodies of unknown length reserve more than they take, mostly for milliseconds: how often and after how many seconds
-- one tries again to get room, after how many its sender may, and how often one looks for bodies of dead workers.
local BODY_TRIES, BODY_TURN, BODY_RETRY, BODY_LOOK = 20, 0.05, 5, 60

-- How many requests of a worker may wait for a server; each has connections and a body. One whose client hung up waits
-- to the end: Lua that is stopped in the middle leaves behind what it has begun. After how many seconds one that waited
-- in vain may come back. Where whoever holds reads what became of it: memory of the container.
local MOST_WAIT, WAIT_RETRY, HOLD_STATE = 1000, 10, "/tmp/gatehouse_hold"
-- After how many seconds one may come back for which there was no server.
local NO_SERVER_RETRY = 2

-- Bytes of the key under which passwords are remembered and names are counted.
local KEY_SIZE = 32

-- In percent of the memory that is in use: LuaJIT's own is 200.
local GARBAGE_PAUSE = 400
-- What a request goes through in one phase is longer than what LuaJIT compiles in one piece by default: it gives up at
-- 15 calls that end a function, 500 constants and 500 places from which it may have to go back.
local LONG_TRACES = { "loopunroll=60", "maxirconst=2000", "maxsnap=1000" }

local NOT_LISTED = "the model is not on its list"
local COULD_BE_OTHERS = "it has a list of models, and this could be about others"

-- What clients take for: try it without WebSocket. It has no name in ngx.
local UPGRADE_REQUIRED = 426

local _M = {}
local files, identities, table_of_routes, rights_of_clients, keys_of_clients, uses_certificates
local bodies_in_flight, largest_bodies
local first_ones, hold_of_servers, waits_for_servers
-- When a check of a password that is under way counts as lost, by hash and password.
local checked_until = {}

local function nothing_more()
    return nil
end

-- Not ngx.log, which adds the request with its query, and the configuration lets nothing of that through.
local function log(message)
    stderr:write(ngx.localtime(), " [crit] ", message, "\n")
end

local function read_file(path)
    local file = open(path, "rb")
    local text = file and file:read("*a")
    if file then
        file:close()
    end
    return text
end

local function read_settings(path)
    local settings, err = cjson.decode((assert(read_file(path), "failed to read " .. path)))
    if not settings then
        error("failed to read " .. path .. ": " .. err)
    end
    return settings
end

-- Returns nil where there is no such file.
local function read_settings_if_any(path)
    return read_file(path) and read_settings(path)
end

-- Nginx reads the clock when it looks for what others sent, and not while Lua runs.
local function time_now()
    ngx.update_time()
    return ngx.now()
end

-- Returns a function that lets others have their turn if this one has taken long enough.
local function turns()
    local begun = time_now()
    return function()
        if time_now() - begun > LONGEST_TURN then
            -- Not 0: an nginx without OpenResty's patches would go on at once, before it looks for what others sent.
            ngx.sleep(0.001)
            begun = time_now()
        end
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

-- As long as nginx runs: a reload must not make it forget who was in. From the kernel, which the whole start would fail
-- without.
local function key_of_this_run()
    local dict, kernel = ngx.shared.gatehouse_run, assert(open("/dev/urandom", "rb"))
    dict:safe_add("key", assert(kernel:read(KEY_SIZE)))
    kernel:close()
    return assert(dict:get("key"))
end

-- Since when requests are held, in seconds; nil if they are not.
local function held_since()
    local file = hold_of_servers()
    return file and file:since(ngx.now())
end

local function begin(folder)
    jit_options.start(unpack(LONG_TRACES))
    local settings = read_settings(folder .. "/conf/settings.json")
    for _, hash in ipairs(KNOWN_HASHES) do
        assert(password.verify("gatehouse", hash), "this image cannot check passwords")
    end
    local sign = digest.hmac(key_of_this_run())
    local failed_tries = failures.new({
        addresses = ngx.shared.gatehouse_addresses,
        names = ngx.shared.gatehouse_names,
        sign = sign,
        now = ngx.now,
        limit = settings.auth_failures,
    })
    files = client_files.new({
        folder = folder .. "/clients",
        -- Everybody gets a fresh start.
        changed = function() failed_tries:forget() end,
        log = log,
        sleep = ngx.sleep,
        timer = function(callback, argument)
            return ngx.timer.at(0, function() callback(argument) end)
        end,
    })
    rights_of_clients = files:watch("clients.json", rights.parse)
    keys_of_clients = files:watch("api_keys", keyfile.parse)
    uses_certificates = settings.certificates ~= "none"
    identities = authenticator.new({
        accepts = settings.accepts,
        certificates = settings.certificates,
        clients = rights_of_clients,
        keys = keys_of_clients,
        users = files:watch("htpasswd", htpasswd.parse),
        verify = verify,
        sleep = function() ngx.sleep(TURN) end,
        memory = password_memory.new(ngx.shared.gatehouse_passwords, sign, settings.password_cache_ttl),
        failures = failed_tries,
    })
    local servers = read_settings_if_any(folder .. "/conf/doors.json")
    if servers then
        doors.init(servers, folder .. "/tls/door.pem", {
            read = read_file,
            log = log,
            saw = metrics.saw,
            failed = metrics.failed_over,
        })
    end
    local host, port = match(settings.upstreams[1], "^(.*):(%d+)$")
    first_ones = first_requests.new({
        dict = ngx.shared.gatehouse_run,
        -- Of a datagram socket nothing is sent for that.
        look_up = servers and doors.look_at_all or function()
            local socket = ngx.socket.udp()
            socket:setpeername(host or settings.upstreams[1], tonumber(port) or 80)
            socket:close()
        end,
        now = ngx.now,
        sleep = ngx.sleep,
    })
    -- Without a time to wait, nothing holds.
    hold_of_servers = settings.wait_timeout > 0 and files:watch_optional("hold.json", hold.parse) or nothing_more
    waits_for_servers = waiting.new({
        has_to = function()
            files:refresh()
            return held_since() ~= nil
        end,
        longest = settings.wait_timeout,
        most = MOST_WAIT,
        now = ngx.now,
        sleep = ngx.sleep,
    })
    table_of_routes = routes.new(settings.routes, settings.parameters)
    largest_bodies = settings.largest_bodies
    local room = memory.for_bodies(read_file, "/tmp")
    if bodies.cost(largest_bodies.inference) > room then
        error("there is memory for " .. room .. " bytes of bodies, which is less than the largest body takes")
    end
    bodies_in_flight = bodies.new(ngx.shared.gatehouse_bodies, room, largest_bodies.inference, ngx.worker.pid)
    usage.init(folder, settings, read_settings_if_any(folder .. "/conf/state.json"), log, rights_of_clients,
        metrics.is_known)
    usage.remember()
    settings.doors = servers and doors.names()
    metrics.init(folder, settings, usage.state, usage.each_limited, function()
        return waits_for_servers.count, held_since() or 0
    end, usage.store_is_lost)
end

-- Run once at each start and reload: what fails here never replaces a running configuration.
function _M.init(folder)
    local ok, err = pcall(begin, folder)
    if not ok then
        log(err)
        error(err, 0)
    end
end

local function runs(pid)
    return read_file("/proc/" .. pid .. "/comm") ~= nil
end

-- Tells whoever holds how many requests are at servers yet.
local function tell_of_hold()
    if not held_since() then
        return os.remove(HOLD_STATE)
    end
    local file = open(HOLD_STATE .. ".new", "wb")
    if file and file:write(concat({ metrics.held() }, " "), "\n") and file:close() then
        os.rename(HOLD_STATE .. ".new", HOLD_STATE)
    end
end

function _M.init_worker()
    files:begin()
    -- One that had this process id before is dead.
    bodies_in_flight:look(function(pid) return tonumber(pid) ~= ngx.worker.pid() and runs(pid) end)
    -- What each request leaves behind is collected half as often, for some memory.
    collectgarbage("setpause", GARBAGE_PAUSE)
    -- An idle worker must not miss a revocation that is followed by damage: it would go on with what came before both.
    -- And not every change of a file is told.
    local ok, err = ngx.timer.every(1, function()
        files:look()
        if ngx.worker.id() == 0 then
            tell_of_hold()
        end
    end)
    if ok then
        ok, err = ngx.timer.every(BODY_LOOK, function() bodies_in_flight:look(runs) end)
    end
    if ok then
        ok, err = usage.init_worker(runs)
    end
    if ok then
        ok, err = metrics.init_worker(runs)
    end
    if ok and doors.is_used() then
        ok, err = doors.init_worker(runs)
    end
    if not ok then
        log("failed to start the timer: " .. err)
    end
end

function _M.exit_worker()
    usage.exit_worker()
    metrics.exit_worker()
end

_M.count, _M.metrics, _M.balance = usage.filter, metrics.show, doors.balance

-- Ends the request. `reason`: what is told to Prometheus, in a word.
local function refuse(status, reason)
    ngx.var.gatehouse_refused = reason
    return ngx.exit(status)
end

-- Who is it? Ends the request if nobody can tell.
local function authenticate()
    local var = ngx.var
    -- None of one that nginx did not find to be good.
    local subject = uses_certificates and var.ssl_client_verify == "SUCCESS" and var.ssl_client_s_dn or nil
    local identity, refusal = identities:identify(var.http_authorization, var.http_x_api_key, ngx.time(),
        var.binary_remote_addr, subject, var.gatehouse_path_key)
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
    var.gatehouse_retry_after = refusal.retry_after or 1
    if refusal.reason then
        var.gatehouse_unauthorized = refusal.reason
    end
    return refuse(refusal.status, refusal.status == ngx.HTTP_TOO_MANY_REQUESTS and "failures" or "")
end

-- Ends the request of a client that has no right to what it asks for.
local function forbid(reason, about)
    ngx.var.gatehouse_forbidden = "this client may not do this: " .. reason
    return refuse(ngx.HTTP_FORBIDDEN, about)
end

-- What a client lacks that has not this scope.
local function missing(scope)
    if scope == "any" then
        return "it has no scopes"
    end
    return "it lacks the scope " .. (scope == "account" and "admin" or scope)
end

-- Until the request ends; returns how much. Ends the request if there is none. In a function of its own, for its loop:
-- LuaJIT would not compile what calls it.
local function reserve(cost)
    local var = ngx.var
    local ok, is_own
    for _ = 1, BODY_TRIES do
        ok, is_own = bodies_in_flight:reserve(var.gatehouse_client, cost)
        if ok then
            var.gatehouse_body = cost
            return cost
        end
        ngx.sleep(BODY_TURN)
    end
    var.gatehouse_retry_after = BODY_RETRY
    return refuse(is_own and ngx.HTTP_TOO_MANY_REQUESTS or ngx.HTTP_SERVICE_UNAVAILABLE, "memory")
end

local function reserve_room_for_body(route)
    -- nginx has refused larger ones, and what is no number.
    local cost = bodies.cost(tonumber(ngx.var.http_content_length) or largest_bodies[route.body])
    return cost > 0 and reserve(cost) or 0
end

-- Of what was reserved, keeps what a body of this size takes.
local function keep_room_for_body(size, reserved)
    if reserved > 0 then
        local var, cost = ngx.var, bodies.cost(size)
        bodies_in_flight:give_back(var.gatehouse_client, reserved - cost)
        var.gatehouse_body = cost
    end
end

-- As `pieces_of_body`, of a body that waits in a file.
local function pieces_of_file(path, reserved)
    local file = assert(open(path, "rb"))
    keep_room_for_body(file:seek("end"), reserved)
    file:seek("set")
    local give_way = turns()
    return function()
        give_way()
        local piece = file:read(PIECE)
        if not piece then
            file:close()
        end
        return piece
    end
end

-- Returns a function that returns the body of the request piece by piece, and what comes before these pieces. What is
-- too large for memory waits in a file below /tmp, which is memory of the container as well: no disk makes the event
-- loop wait.
local function pieces_of_body(route)
    local reserved = reserve_room_for_body(route)
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    local path = not text and ngx.req.get_body_file()
    if not path then
        keep_room_for_body(text and #text or 0, reserved)
        return nothing_more, text or ""
    end
    return pieces_of_file(path, reserved), ""
end

-- Whether the body is what it says, so that it can be read here as the server reads it.
local function is_plain(coding)
    return not coding or coding == "" or lower(coding) == "identity"
end

-- The only one that the server decodes. It reads a body with any other as if there were none.
local function is_compressed(coding)
    return coding and lower(coding) == "zstd"
end

local function models_of_form(route)
    local var = ngx.var
    -- The query as it goes on: Ollama would take a model from there.
    local query = match(var.gatehouse_uri, "%?(.*)")
    local next_piece, first = pieces_of_body(route)
    local function piece()
        local before = first
        first = nil
        return before or next_piece()
    end
    return form_model.read(piece, route.fields, var.http_content_type, query)
end

-- The names of the models that a body is about, whether it says more than the route allows a client that may use some
-- models only, and what else was found in it; or nil and what is wrong with it.
local function models_of_body(route, limits)
    if route.model == "form" then
        return models_of_form(route)
    end
    local next_piece, first = pieces_of_body(route)
    local watched = usage.watched(route, limits)
    local names, more, found = body_model.read(next_piece, route.fields, route.only, watched, first)
    if found and first ~= "" then
        found.text = first
    end
    return names, more, found
end

-- Whether a client may name this model. What makes or removes models may read a name to the letter, or as others do.
local function allows(may, route, name)
    return may(model_names.meant(name)) and (route.scope ~= "models_write" or may(name))
end

local function any_model()
    return true
end

-- Only what is a name: whatever else stands there may be a secret. Returns what is logged, or nil.
local function log_model(name)
    name = name and model_names.meant(name)
    if name and model_names.is_name(name) then
        ngx.var.gatehouse_model = name
        return name
    end
end

-- Whether a client may name all of these. Mostly there is one, and LuaJIT compiles the way there without the loop.
local function allows_all(may, route, names)
    for i = 2, #names do
        if not allows(may, route, names[i]) then
            return false
        end
    end
    return not names[1] or allows(may, route, names[1])
end

-- Ends the request if it is about another model than the client may use, or if that cannot be told. Returns what else
-- was found in its body, and the name of the model.
local function check_body(route, limits, may)
    local var = ngx.var
    if not is_plain(var.http_content_encoding) then
        return ngx.exit(415)
    end
    local names, more, found = models_of_body(route, limits)
    if not names then
        var.gatehouse_reason = more
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end
    local model = log_model(names[1])
    if more then
        return forbid(COULD_BE_OTHERS, "model")
    elseif not allows_all(may, route, names) then
        return forbid(NOT_LISTED, "model")
    end
    return found, model
end

-- Of a client that may use all models a body is read for the log alone: what is wrong with it is for the server to say.
-- Returns the same; nil if it cannot be read.
local function note_body(route, limits)
    if not is_compressed(ngx.var.http_content_encoding) then
        local names, _, found = models_of_body(route, limits)
        if names then
            return found, log_model(names[1])
        end
    end
end

-- As long as servers are held. Ends the request if that takes too long.
local function wait_for_servers()
    if not waits_for_servers:wait() then
        ngx.var.gatehouse_retry_after = WAIT_RETRY
        ngx.var.gatehouse_busy = "Ollama is being replaced, try again later"
        return refuse(ngx.HTTP_SERVICE_UNAVAILABLE, "waited")
    end
end

-- Finds a server for the request. Ends it if there is none.
local function find_server(route, model)
    local ok, status, reason = doors.begin(route, model)
    if not ok then
        local var = ngx.var
        var.gatehouse_reason, var.gatehouse_busy, var.gatehouse_retry_after = reason, reason, NO_SERVER_RETRY
        return refuse(status, "server")
    end
end

function _M.access()
    files:refresh()
    local identity = authenticate()
    local upgrade = ngx.var.http_upgrade
    if upgrade and find(lower(upgrade), "websocket", 1, true) then
        return ngx.exit(UPGRADE_REQUIRED)
    end
    local route, parameter = table_of_routes:find(ngx.req.get_method(), ngx.var.gatehouse_uri)
    if not route then
        return ngx.exit(ngx.HTTP_NOT_FOUND)
    end
    ngx.var.gatehouse_route = route.path
    local file = rights_of_clients()
    if not file or not file:allows(identity.client, route.scope) then
        return forbid(missing(route.scope), "scope")
    end
    local may, is_counted, model = file:models(identity.client), false, nil
    if route.model == "path" then
        model = log_model(parameter)
        if may and not allows(may, route, parameter) then
            return forbid(NOT_LISTED, "model")
        end
    elseif route.model == "body" or route.model == "form" then
        local limits = route.usage and file:limits(identity.client)
        -- Limits hold only where it is certain what a body says; and where servers differ, it has to be known.
        local judge = (may or limits or doors.is_used() and is_compressed(ngx.var.http_content_encoding))
            and check_body or note_body
        local found
        found, model = judge(route, limits, may or any_model)
        is_counted = usage.begin(route, identity, limits, found, model)
    elseif route.model == "digest" and may then
        return forbid(COULD_BE_OTHERS, "model")
    elseif route.model == "list" and (may or doors.is_used()) then
        ngx.ctx.shown = { key = route.fields[1], may = may, parts = {} }
    end
    if not route.own then
        metrics.begin(is_counted)
        first_ones:wait()
        if held_since() then
            wait_for_servers()
        end
        if doors.is_used() and route.model ~= "list" then
            find_server(route, model)
        end
    end
end

-- Answers with the models of all servers behind doors that the client may use.
function _M.list()
    local shown = ngx.ctx.shown
    local text, err = doors.list(match(ngx.var.gatehouse_uri, "^[^?]*"), shown.key)
    if text and shown.may then
        text, err = model_lists.filter(text, shown.key, shown.may)
    end
    ngx.ctx.shown = nil
    if not text then
        log("failed to make the list of models: " .. err)
        ngx.var.gatehouse_busy = "no server takes requests now"
        return refuse(ngx.HTTP_SERVICE_UNAVAILABLE, "server")
    end
    ngx.header["Content-Type"] = "application/json; charset=utf-8"
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end

-- What a client may do and did. It was let in before, and so there are rights.
function _M.show_own()
    local var = ngx.var
    local client, file, keys = var.gatehouse_client, rights_of_clients(), keys_of_clients()
    local scopes, models = file:described(client)
    local limits = file:limits(client)
    local state, used = usage.of_client(client, limits)
    ngx.header.content_type = "application/json"
    ngx.header["Cache-Control"] = "no-store"
    ngx.print(own_view.text({
        client = client,
        key = var.gatehouse_key,
        time = ngx.time(),
        scopes = scopes,
        models = models,
        limits = limits,
        state = state,
        keys = keys and keys:of(client) or {},
        used = used,
    }))
end

-- After the answer, whatever it was: by then nginx is done with the body.
function _M.log()
    local var = ngx.var
    local cost = tonumber(var.gatehouse_body)
    if cost then
        bodies_in_flight:give_back(var.gatehouse_client, cost)
    end
    if doors.is_used() then
        doors.finish()
    end
    metrics.finish(usage.log())
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
