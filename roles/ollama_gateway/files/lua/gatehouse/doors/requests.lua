-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the modules about servers on other hosts: looks at their doors, chooses one for each request and
-- another where that one fails.

local balancer = require "ngx.balancer"
local choice = require "gatehouse.doors.choice"
local flights = require "gatehouse.doors.flights"
local http = require "gatehouse.metrics.http"
local model_names = require "gatehouse.model_names"
local said = require "gatehouse.doors.said"
local ssl = require "ngx.ssl"
local union = require "gatehouse.doors.union"
local views = require "gatehouse.doors.view"

local match = string.match
local concat = table.concat
local min = math.min

-- In seconds: how often each door is looked at, how long an answer may take, and how often dead workers are looked for.
local LOOK, DEADLINE, BURY = 1, 2, 10
-- In bytes: of an answer with 5,000 models.
local LONGEST = 16777216
-- How often in a row one that is slow is waited for.
local MISSES = 2
-- For which time a list may be as it was unless something was written since, how long one may be made, and between two
-- tries to read it meanwhile. And for how long nobody asks again for a model that nobody has.
local LISTED, LISTING, LIST_STEP, ASKED = 1, 3, 0.02, 0.5
-- How many servers a request is tried at, after the first. And how long connections wait to be used again.
local MORE_TRIES, IDLE, MOST_USES = 2, 30, 100000
-- What all doors are called, in their certificates.
local NAME = "gatehouse-door"
-- Classes of routes that are about one server, which a client that has the choice names; and what tells that a request
-- is of one, where only variables of nginx are left of it.
local WRITING, WRITES = { models = true, account = true }, "w"

local NONE = {}

local _M = {}
local view, own, dict, penalty, pem_path
local read_file, log, tell, count_failure

local function own_count(number)
    return own:count(number)
end

local function names_of(doors)
    local names = {}
    for i, door in ipairs(doors) do
        names[i] = door.name
    end
    return names
end

-- Whether servers are behind doors.
function _M.is_used()
    return view ~= nil
end

-- What these servers are called.
function _M.names()
    return names_of(view.doors)
end

-- `settings`: of doors.json: `doors`, each `name` and `address`, and `cold_penalty`; `pem`: where the gateway's
-- certificate is; `options`: `read`, which reads a file, `log`, `saw`, which gets what is seen of a server, and
-- `failed`, which gets the name of one at which a request failed.
function _M.init(settings, pem, options)
    local doors = {}
    for number, door in ipairs(settings.doors) do
        -- An IPv6 address stays in its brackets.
        local host, port = match(door.address, "^(.*):(%d+)$")
        doors[number] = { name = door.name, host = host, port = tonumber(port) }
    end
    dict, penalty, pem_path = ngx.shared.gatehouse_doors, settings.cold_penalty, pem
    -- Over a reload, numbers may come to mean others.
    local names = concat(names_of(settings.doors), ",")
    if dict:get("names") ~= names then
        dict:flush_all()
        dict:set("names", names)
    end
    view = views.new(dict, doors, ngx.now)
    own = flights.new(dict, ngx.worker.pid)
    read_file, log, tell, count_failure = options.read, options.log, options.saw, options.failed
end

local function secure(socket)
    local pem = read_file(pem_path) or ""
    local certificate, err = ssl.parse_pem_cert(pem)
    local key
    if certificate then
        key, err = ssl.parse_pem_priv_key(pem)
    end
    if not key then
        log("failed to read the certificate for the servers' doors: " .. err)
        return nil, err
    end
    local ok
    ok, err = socket:setclientcert(certificate, key)
    if ok then
        -- Nothing is taken up again: who presents what is looked at each time.
        ok, err = socket:sslhandshake(false, NAME, true)
    end
    return ok, err
end

local function ask(door, path, keep)
    local server = door.host .. ":" .. door.port
    local target = { server = server, name = NAME, secure = secure, keep = keep, deadline = DEADLINE,
        longest = LONGEST }
    local status, text = http.get(ngx.socket.tcp(), target, path, ngx.now)
    -- One that was kept may have been ended there meanwhile.
    if not status and keep and text == "the connection ended" then
        status, text = http.get(ngx.socket.tcp(), target, path, ngx.now)
    end
    return status, text
end

-- Returns whether the door does not answer, or says that its server does not. Of one that may only be busy it takes two
-- times in a row.
local function is_gone(door, status, err)
    local is_slow = status ~= nil or err == "timeout"
    door.misses = is_slow and (door.misses or 0) + 1 or MISSES
    return door.misses >= MISSES
end

local function look(door)
    local number = door.number
    local status, text = ask(door, "/gatehouse/door?tags=" .. view:tags_hash(number), true)
    local found, models, loaded
    if status == 200 then
        found, models, loaded = said.read(text)
    end
    if found then
        door.misses = 0
        view:saw(number, found, models, own:count(number))
    elseif is_gone(door, status, text) then
        view:missed(number)
    else
        return
    end
    tell(door.name, found, models, loaded)
end

-- A door that takes its time holds up no other.
local function look_at(doors)
    local threads = {}
    for i, door in ipairs(doors) do
        threads[i] = ngx.thread.spawn(look, door)
    end
    for _, thread in ipairs(threads) do
        ngx.thread.wait(thread)
    end
end

function _M.look_at_all()
    look_at(view.doors)
end

local function looker(door)
    local looks = false
    return function(premature)
        if looks or premature then
            return
        end
        looks = true
        local ok, err = pcall(look, door)
        looks = false
        if not ok then
            view:missed(door.number)
            log("failed to look at a door: " .. tostring(err))
        end
    end
end

-- One worker looks for all. `runs`: tells of a process id whether it lives. Returns true; or nil and an error.
function _M.init_worker(runs)
    -- One that had this process id before is dead.
    own:bury(function(pid) return tonumber(pid) ~= ngx.worker.pid() and runs(pid) end)
    if ngx.worker.id() > 0 then
        return true
    end
    local ok, err = ngx.timer.every(BURY, function() own:bury(runs) end)
    for _, door in ipairs(view.doors) do
        local callback = looker(door)
        if ok then
            ok, err = ngx.timer.at(0, callback)
        end
        if ok then
            ok, err = ngx.timer.every(LOOK, callback)
        end
    end
    return ok, err
end

-- Those that have the model. Where nobody has, somebody may have got it since: all are asked, but not for each request.
local function candidates(model)
    local found = view:with(model)
    if not found and dict:add("asked", true, ASKED) then
        look_at(view.doors)
        view:refresh()
        found = view:with(model)
    end
    -- Whoever is asked says that it has no such model.
    return found or view.doors
end

local function choose(flight)
    local model = flight.model
    local door, has_to_load = choice.choose(flight.doors, {
        model = model or "",
        loading = model and view:loading(model) or NONE,
        penalty = model and penalty or 0,
        own = own_count,
        tried = flight.tried,
        now = ngx.now(),
    })
    if not door then
        return nil
    end
    -- Of a model that nobody has nothing is remembered.
    if model and has_to_load and view:with(model) then
        view:loads(model, door.number)
    end
    flight.door = door
    own:begin(door.number)
    return door
end

-- The server that a request is to go to which writes models: the one that it names, or the only one. Returns it; or nil
-- and what the client is to be told.
local function named(name)
    if not name and #view.doors == 1 then
        return view.doors[1]
    end
    for _, door in ipairs(view.doors) do
        if door.name == name then
            return door
        end
    end
    return nil, (name and "there is no such server" or "there are several servers")
        .. "; name one in the header X-Gatehouse-Server: " .. concat(_M.names(), ", ")
end

-- Finds a server for the request. `route`: of the table; `model`: what it is about, nil if nothing. Returns true; or
-- nil, a status and what the client is to be told.
function _M.begin(route, model)
    view:refresh()
    model = model and model_names.listed(model) or nil
    local doors, more = view.doors, MORE_TRIES
    if WRITING[route.class] then
        local door, err = named(ngx.var.http_x_gatehouse_server)
        if not door then
            return nil, ngx.HTTP_CONFLICT, err
        end
        doors, more = { door }, 0
    elseif model then
        doors = candidates(model)
    end
    local flight = { model = model, tried = {}, doors = doors, more = min(more, #doors - 1) }
    local door = choose(flight)
    if not door then
        return nil, ngx.HTTP_SERVICE_UNAVAILABLE, "no server takes this request now"
    end
    ngx.var.gatehouse_door = door.number .. (WRITING[route.class] and WRITES or "")
    ngx.var.gatehouse_door_model = model or ""
    -- For as long as nginx does not answer with a page of its own.
    ngx.ctx.flight = flight
    return true
end

-- The one before failed. Where there is nobody else, it is asked once more.
local function next_door(flight)
    local number = flight.door.number
    own:finish(number)
    view:failed(number)
    count_failure(flight.door.name)
    view:refresh()
    flight.tried[number] = true
    if not choose(flight) then
        own:begin(number)
    end
    ngx.var.gatehouse_door = flight.door.number
end

-- For balancer_by_lua.
function _M.balance()
    local flight = ngx.ctx.flight
    if flight.is_under_way then
        next_door(flight)
    elseif flight.more > 0 then
        balancer.set_more_tries(flight.more)
    end
    flight.is_under_way = true
    local ok, err = balancer.set_current_peer(flight.door.host, flight.door.port)
    if ok then
        ok, err = balancer.enable_keepalive(IDLE, MOST_USES)
    end
    if not ok then
        log("failed to choose a server: " .. err)
        return ngx.exit(ngx.ERROR)
    end
end

-- When a request has ended.
function _M.finish()
    local var = ngx.var
    local number, writes = match(var.gatehouse_door, "^(%d+)(.*)$")
    if not number then
        return
    end
    number = tonumber(number)
    own:finish(number)
    if writes == WRITES then
        -- Lists of before count no more.
        dict:incr("writes", 1, 0)
        ngx.timer.at(0, looker(view.doors[number]))
    end
    -- It may have been put aside, because of this request or another.
    local status = tonumber(match(var.upstream_status or "", "%d+$"))
    if status and status < 500 then
        view:worked(number)
    end
end

local function gather(path)
    local doors, texts = {}, {}
    for _, door in ipairs(view.doors) do
        doors[#doors + 1] = door.up and door or nil
    end
    local threads = {}
    for i, door in ipairs(doors) do
        threads[i] = ngx.thread.spawn(ask, door, path)
    end
    for _, thread in ipairs(threads) do
        local _, status, text = ngx.thread.wait(thread)
        texts[#texts + 1] = status == 200 and text or nil
    end
    return texts
end

-- The list of all servers at this path. Returns the text of the answer; or nil and what is wrong. Asked for by many at
-- a time, it is made once.
function _M.list(path, key)
    view:refresh()
    local place = (dict:get("writes") or 0) .. ":" .. path
    local ends = ngx.now() + LISTING
    while ngx.now() < ends do
        local text, failed = dict:get("list:" .. place), dict:get("nolist:" .. place)
        if text or failed then
            return text, failed
        elseif dict:add("listing:" .. place, true, LISTING) then
            break
        end
        ngx.sleep(LIST_STEP)
    end
    local text, err = union.union(gather(path), key)
    if text then
        dict:safe_set("list:" .. place, text, LISTED)
    else
        dict:set("nolist:" .. place, err, LISTED)
    end
    dict:delete("listing:" .. place)
    return text, err
end

return _M
