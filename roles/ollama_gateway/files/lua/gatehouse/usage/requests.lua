-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the modules that count and limit: beside gatehouse.gateway and metrics/requests.lua the only one
-- that touches ngx. Each request to a model that is let through has a line in the ledger, whatever became of it.

local admission = require "gatehouse.limits.admission"
local added_event = require "gatehouse.usage.added_event"
local answer = require "gatehouse.usage.answer"
local append = require "gatehouse.usage.append"
local body_limits = require "gatehouse.limits.body"
local cjson = require "cjson.safe"
local include_usage = require "gatehouse.usage.include_usage"
local ledger = require "gatehouse.usage.ledger"
local model_names = require "gatehouse.model_names"
local remembering = require "gatehouse.remembering"
local replay = require "gatehouse.limits.replay"
local shared_state = require "gatehouse.state.requests"
local sums = require "gatehouse.usage.sums"
local OTHERS = require("gatehouse.rights").OTHERS

local open = io.open
local date, remove, rename = os.date, os.remove, os.rename
local find, match, sub = string.find, string.match, string.sub
local abs, ceil, floor, max, min = math.abs, math.ceil, math.floor, math.max, math.min

-- In seconds: how often lines are written, and how often files that are too old and slots of dead workers are looked
-- for.
local WRITE, FIRST_EXPIRE, EXPIRE, LOOK = 0.05, 60, 3600, 1
-- In seconds: a day, and what of the one before is recent.
local DAY, RECENT = 86400, 120
-- How often and after how many seconds a slot is looked for that is just becoming free.
local SLOT_TRIES, SLOT_TURN = 3, 0.02
-- How much of the end of a body that waits in a file is read for where it ends: more white space nobody sends.
local TAIL = 4096
-- Days that a client is shown of what it used, how often one looks what was added, and how often and after how many
-- seconds one looks whether that is done.
local SHOWN_DAYS, FRESH, READ_TRIES, READ_TURN = 30, 1, 50, 0.02
-- Those of a few servers that were tried one after the other.
local LONGEST_ADDRESSES = 200
-- So many bytes of a text make a token, as a rule.
local BYTES_OF_TOKEN = 4

-- It has no name in ngx.
local CLIENT_GONE = 499

local _M = {}
-- What is known of requests that go on, by their ids: nginx ends the context of one where the gateway itself answers in
-- the place of a server.
local in_flight = {}
-- Nothing is counted, and nobody limited, where it is nil.
local book
local keep_days, tell, rights_of_clients, state, used, is_known
-- Who admits requests: this gateway, or before it all that share something.
local own_gate, gate
-- Whether this worker is about to end, and has no threads any more.
local is_ending = false

-- In a thread, for a disk may be slow. Without one to be had, here: a line that waits too long could be lost.
local function append_in_thread(path, text)
    local ok, written, err = ngx.run_worker_thread("ledger", "gatehouse.usage.append", "append", path, text)
    if ok then
        return written, err
    end
    return append.append(path, text)
end

-- Has usage/day_sums.lua do something, in a thread too. Returns what that does; nil without a thread to be had.
local function sum_in_thread(name, ...)
    local ok, one, two, three, four = ngx.run_worker_thread("ledger", "gatehouse.usage.day_sums", name, ...)
    if ok then
        return one, two, three, four
    end
end

-- Once for all workers, before there are any. `settings`: those of the gateway; `shared`: those of what gateways share,
-- or nil; `log`: a function that takes a message; `clients`: tells the rights of the clients, nil if they cannot be
-- read; `knows`: whether a server may have a model.
function _M.init(folder, settings, shared, log, clients, knows)
    if not settings.usage then
        return
    end
    rights_of_clients, state, tell, is_known = clients, folder .. "/state", log, knows
    keep_days = settings.usage.keep_days
    book = ledger.new({
        folder = state,
        now = ngx.now,
        append = function(path, text)
            return ((is_ending or ngx.worker.exiting()) and append.append or append_in_thread)(path, text)
        end,
        remove = remove,
        log = log,
    })
    own_gate = admission.new({ dict = ngx.shared.gatehouse_limits, now = ngx.now, pid = ngx.worker.pid })
    gate = shared and shared_state.init(shared, { password = folder .. "/tls/valkey.password", ledger = state,
        sum = sum_in_thread, rights = clients, own = own_gate, log = log }) or own_gate
    used = sums.new({
        dict = ngx.shared.gatehouse_usage,
        flags = ngx.shared.gatehouse_run,
        folder = state,
        days = min(SHOWN_DAYS, keep_days + 1),
        now = ngx.now,
        pid = ngx.worker.pid,
        log = log,
        read = function(path, from) return sum_in_thread("read", path, from) end,
        -- Not 0: an nginx without OpenResty's patches would go on at once.
        give_way = function() ngx.sleep(0.001) end,
    })
end

-- Counts the lines of the ledger of this day, if there are any.
local function replay_day(time, rights, now)
    local path = state .. "/" .. date("!%Y-%m-%d", time) .. ".jsonl"
    local file, err = append.is_file(path)
    file = file and open(path, "rb")
    if file then
        err = select(3, replay.replay(file:lines(), rights, own_gate, now))
        file:close()
    end
    if err then
        tell("it is not known what was used on a day, from " .. path .. ": " .. err)
    end
end

-- What was used before this start, by the ledger: after a reload all is still in memory, and otherwise nothing. To be
-- called again and again, for as long as it is not known who has limits.
function _M.remember()
    local dict = ngx.shared.gatehouse_limits
    local rights = book and not dict:get("is remembered") and rights_of_clients()
    if not rights or not dict:safe_add("is remembered", true) then
        return
    end
    local now = ngx.now()
    -- A minute that slides may have begun yesterday.
    for _, time in ipairs(now % DAY < RECENT and { now - DAY, now } or { now }) do
        replay_day(time, rights, now)
    end
end

-- Removes files that are too old; not where the clock has jumped since the last time, as it may jump back.
local function expire()
    local dict, day = ngx.shared.gatehouse_limits, floor(ngx.time() / DAY)
    local before = dict:get("day")
    dict:safe_set("day", day)
    if before and abs(day - before) <= 1 then
        book:expire(keep_days)
    end
end

-- `runs`: tells of a process id whether it lives. Returns true; or nil and an error.
function _M.init_worker(runs)
    if not book then
        return true
    end
    -- One that had this process id before is dead.
    own_gate:look(function(pid) return tonumber(pid) ~= ngx.worker.pid() and runs(pid) end)
    local ok, err = ngx.timer.every(WRITE, function() book:flush() end)
    if ok then
        ok, err = ngx.timer.every(LOOK, function()
            own_gate:look(runs)
            _M.remember()
        end)
    end
    if ok and ngx.worker.id() == 0 then
        ok, err = ngx.timer.at(FIRST_EXPIRE, expire)
        if ok then
            ok, err = ngx.timer.every(EXPIRE, expire)
        end
    end
    if ok then
        ok, err = shared_state.init_worker()
    end
    return ok, err
end

-- Adds what asks for the tokens to a body that waits in a file: in place, for it may be large, and under another name,
-- for nginx removes the one that it knows.
local function ask_in_file(path)
    local asking = path .. ".asking"
    if not rename(path, asking) then
        return false
    end
    local file = open(asking, "r+b")
    if not file then
        ngx.req.set_body_file(asking, true)
        return false
    end
    local size = file:seek("end")
    local from = max(size - TAIL, 0)
    file:seek("set", from)
    local kept, added = include_usage.ending(file:read("*a"))
    if kept then
        file:seek("set", from + kept)
        file:write(added)
    end
    file:close()
    ngx.req.set_body_file(asking, true)
    return kept ~= nil
end

-- Has the server say in a stream how many tokens it took. `text`: the body, nil if it waits in a file. Returns whether
-- it will.
local function ask(text)
    if text then
        ngx.req.set_body_data(include_usage.splice(text))
        return true
    end
    local path = ngx.req.get_body_file()
    return path ~= nil and ask_in_file(path)
end

-- The members of a body that have to be known, beside the names of models; nil if there are none.
function _M.watched(route, limits)
    if not book or not route.usage then
        return nil
    elseif limits and (limits.max_context or limits.keep_alive) and find(route.path, "^/api/") then
        -- The other dialects cannot say either.
        return body_limits.WATCHED
    end
    return route.usage == "chat_completions" and include_usage.WATCHED or nil
end

-- Ends the request of a client that has used up what it may, or that cannot be counted.
local function refuse(refusal)
    local var = ngx.var
    var.gatehouse_limited = sub(cjson.encode(refusal.message), 2, -2)
    var.gatehouse_retry_after = refusal.retry_after
    var.gatehouse_refused = refusal.limit or "memory"
    if refusal.is_spent_for_day then
        ngx.header["x-should-retry"] = "false"
    end
    return ngx.exit(refusal.limit and ngx.HTTP_TOO_MANY_REQUESTS or ngx.HTTP_SERVICE_UNAVAILABLE)
end

-- Returns what `admit` of the gate does. One that waits for a slot may have it in a moment.
local function try_to_admit(client, limits, model)
    local id = ngx.var.request_id
    local ticket, refusal, err, add_headers = gate:admit(client, limits, model, id)
    for _ = 2, SLOT_TRIES do
        if ticket or not refusal.is_worth_waiting then
            break
        end
        ngx.sleep(SLOT_TURN)
        ticket, refusal, err, add_headers = gate:admit(client, limits, model, id)
    end
    return ticket, refusal, err, add_headers
end

-- Ends the request if it is beyond the limits of its client; the answer says how much is left of them in any case.
-- Returns a ticket.
local function admit(client, limits, found, model)
    local problem = found and body_limits.problem(limits, found.values)
    if problem then
        local var = ngx.var
        var.gatehouse_reason = sub(cjson.encode(problem), 2, -2)
        var.gatehouse_refused = "limit_of_body"
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end
    local ticket, refusal, err, add_headers = try_to_admit(client, limits, model)
    if err then
        tell(err)
    end
    if add_headers then
        add_headers(ngx.header)
    else
        own_gate:headers(client, limits, model, ngx.header)
    end
    return ticket or refuse(refusal)
end

-- Before a request goes on: ends it if it must not. `identity`: whose it is; `limits`: those of this client, or nil;
-- `found`: what was found in its body, with its `text` where that is in memory; nil if it cannot be read here; `model`:
-- its name, or nil. Returns whether it is counted.
function _M.begin(route, identity, limits, found, model)
    if not book or not route.usage then
        return false
    end
    local ticket = limits and admit(identity.client, limits, found, model)
    local asks = found and route.usage == "chat_completions" and include_usage.wants(found) and ask(found.text)
    local id = ngx.var.request_id
    local counted = {
        id = id,
        client = identity.client,
        key = identity.key,
        model = model and model_names.listed(model) or "",
        route = route.path,
        answer = answer.new(route.usage),
        added = asks and added_event.new() or nil,
        -- Of a body that cannot be read here it is told at the end. A form holds a sound.
        prompt = found and ceil(found.text_bytes / BYTES_OF_TOKEN) or route.model == "form" and 0 or nil,
        begun = ngx.req.start_time(),
        whole = false,
        ticket = ticket,
    }
    in_flight[id], ngx.ctx.usage = counted, counted
    return true
end

-- Once, as early as can be: before the last bytes go to a client that may ask again at once.
local function settle(counted, status)
    if not counted.tokens then
        -- Whoever went away before the first byte had an answer on its way.
        local answered = status == CLIENT_GONE and ngx.HTTP_OK or status
        local prompt = counted.prompt or ceil(tonumber(ngx.var.request_length) / BYTES_OF_TOKEN)
        counted.tokens = counted.answer:finish(counted.whole, answered, prompt)
        local ticket = counted.ticket
        if ticket then
            local ok, err = gate:finish(ticket, counted.tokens.prompt + counted.tokens.completion)
            if not ok then
                tell(err)
            end
        end
    end
    return counted.tokens
end

-- Each piece of an answer, as it passes.
function _M.filter()
    local counted = ngx.ctx.usage
    if not counted then
        return
    end
    local arg = ngx.arg
    local piece, is_last = arg[1], arg[2]
    if not counted.first and piece ~= "" then
        counted.first = ngx.now()
        if counted.model == "" then
            -- Each answer begins with the name that was asked for.
            counted.model = model_names.listed(match(piece, '"model":"([^"\\]+)"') or "") or ""
        end
    end
    counted.answer:take(piece)
    if is_last then
        counted.whole = true
        settle(counted, ngx.status)
    end
    local kept = counted.added and counted.added:take(piece, is_last) or piece
    if kept ~= piece then
        arg[1] = kept
    end
end

-- Calls `take` with each client that has limits, and what is used of them here, as limits/report.lua has it.
function _M.each_limited(take)
    local rights = book and rights_of_clients()
    for client, limits in pairs(rights and rights:limited() or {}) do
        if client ~= OTHERS then
            take(client, own_gate:state(client, limits))
        end
    end
end

-- Has what was added to the ledger read, beside this request, and waits a moment for it.
local function look()
    local flags, now = ngx.shared.gatehouse_run, ngx.now()
    if abs(now - (flags:get("looked") or 0)) >= FRESH and used:begin() then
        flags:set("looked", now)
        local ok = ngx.timer.at(0, function(premature)
            if not premature then
                used:catch_up()
            end
        end)
        if not ok then
            used:stop()
        end
    end
    for _ = 1, READ_TRIES do
        if not used:is_reading() then
            break
        end
        ngx.sleep(READ_TURN)
    end
end

-- Returns what a client has used of its limits, and what it used before: {days, since, is_complete}; nil where nothing
-- is counted.
function _M.of_client(client, limits)
    if not book then
        return {}, nil
    end
    look()
    local days, since, is_complete = used:of(client)
    return limits and gate:state(client, limits) or {}, { days = days, since = since, is_complete = is_complete }
end

-- How many lines wait, for how many seconds the oldest does, and how many are lost.
function _M.state()
    if not book then
        return 0, 0, 0
    end
    return book:pending(), book:lag(), book:lost()
end

-- Whether what gateways share is out of reach; nil where they share nothing.
_M.store_is_lost = shared_state.is_lost

local function entry_of(counted, status, server)
    local tokens = settle(counted, status)
    -- Of a model that nobody has, or that nobody is known to have and that answered nothing, the name is anybody's
    -- invention.
    local is_invented = tokens.source == "none" and status >= 400 and status < 500
        or not counted.first and not is_known(counted.model)
    return {
        request_id = counted.id,
        client = counted.client,
        key = counted.key,
        model = is_invented and "" or counted.model,
        route = counted.route,
        status = status,
        prompt_tokens = tokens.prompt,
        completion_tokens = tokens.completion,
        source = tokens.source,
        end_ = tokens.end_,
        seconds = max(ngx.now() - counted.begun, 0),
        first_chunk_seconds = counted.first and max(counted.first - counted.begun, 0),
        server = server,
    }
end

-- The last server if several were tried; none where it is the name of all, which stands where none has an address.
local server_of = remembering.new(function(addresses)
    local server = match(addresses, "[^%s,]*$")
    return find(server, ":", 1, true) and server or ""
end, LONGEST_ADDRESSES)

-- When a request has ended, however it did. Returns what the ledger says of it; nil if it says nothing.
function _M.log()
    local var = ngx.var
    local counted = ngx.ctx.usage or in_flight[var.request_id]
    if not counted then
        return
    end
    in_flight[counted.id] = nil
    local entry = entry_of(counted, ngx.status, server_of(var.upstream_addr or ""))
    book:add(entry)
    -- Its timers have ended.
    if ngx.worker.exiting() then
        book:flush(true)
    end
    return entry
end

-- At a fast stop answers are cut that were on their way.
function _M.exit_worker()
    if not book then
        return
    end
    is_ending = true
    used:stop()
    for _, counted in pairs(in_flight) do
        counted.prompt = counted.prompt or 0
        book:add(entry_of(counted, ngx.HTTP_OK, ""))
    end
    if not book:flush(true) then
        tell("the ledger cannot be written, and the worker ends: " .. book:pending() .. " lines are lost")
    end
end

return _M
