-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the modules that tell Prometheus: beside gatehouse.gateway and usage/requests.lua the only one that
-- touches ngx. What a label says comes from lists that clients do not make longer: clients, models that a server has,
-- routes, statuses and reasons.

local certificate = require "gatehouse.metrics.certificate"
local cjson = require "cjson.safe"
local families = require "gatehouse.metrics.families"
local http = require "gatehouse.metrics.http"
local model_names = require "gatehouse.model_names"
local series = require "gatehouse.metrics.series"
local servers = require "gatehouse.metrics.servers"

local find, match = string.find, string.match
local concat, huge, max, min = table.concat, math.huge, math.max, math.min

-- How many lines there may be of requests.
local MOST = 10000
-- In seconds: how often counts are added to those of all workers, servers are looked at, and dead workers are looked
-- for; and when servers are looked at first, which a start that is only a test does not live to see.
local FLUSH, LOOK, BURY, FIRST_LOOK = 1, 15, 60, 1
-- So many lines are made or added before others have their turn: a tenth of a millisecond, which no clock of nginx can
-- tell. The turn is not 0: an nginx without OpenResty's patches would go on at once. So many bytes are sent at once.
local BATCH, TURN, PIECE = 25, 0.001, 32768

local OTHER = "other"
-- It has no name in ngx.
local CLIENT_GONE = 499

-- Why the gateway refused a request, where nothing more exact is known.
local REASONS = {
    [400] = "malformed",
    [401] = "credential",
    [403] = "scope",
    [404] = "route",
    [405] = "route",
    [408] = "timeout",
    [413] = "body_size",
    [414] = "header_size",
    [415] = "encoding",
    [421] = "host",
    [426] = "websocket",
    [429] = "connections",
    [431] = "header_size",
    [503] = "overloaded",
}

local _M = {}
local counts, shared, generation, upstreams, certificate_path
-- Whether others look at the servers, and tell of them.
local is_told
local ledger_state, each_limited, hold_state, store_is_lost
-- Of this worker: requests whose answer has not ended, and what was last told to all; the names of models that a server
-- has, and which version of those it is; lines that were lost before the last flush.
local in_flight, told, models, version, lost = 0, nil, {}, nil, 0

-- Once for all workers, before there are any. `ledger`: tells how many lines wait, for how many seconds the oldest
-- does, and how many are lost; `limited`: calls what it gets with each client that has limits, and what is used of
-- them; `hold`: tells how many requests wait, and since when the hold is in force that this worker knows of, 0 for
-- none; `is_lost`: tells whether what gateways share is out of reach, nil where they share nothing.
function _M.init(folder, settings, ledger, limited, hold, is_lost)
    counts = series.new(ngx.shared.gatehouse_metrics, MOST)
    shared = ngx.shared.gatehouse_workers
    generation = shared:incr("generation", 1, 0)
    shared:safe_add("restarts", 0)
    shared:safe_add("lost", 0)
    shared:safe_add("models", 0)
    upstreams, is_told = settings.doors or settings.upstreams, settings.doors ~= nil
    certificate_path = settings.tls and folder .. "/tls/server.pem" or nil
    ledger_state, each_limited, hold_state, store_is_lost = ledger, limited, hold, is_lost
end

local function forget(pid)
    shared:delete("worker:" .. pid)
end

-- Tells all what only this worker knows.
local function tell()
    local pending, lag, dropped = ledger_state()
    local waiting, since = hold_state()
    local text = in_flight .. " " .. pending .. " " .. lag .. " " .. waiting .. " " .. since
    if text ~= told then
        told = text
        shared:set("worker:" .. ngx.worker.pid(), text)
    end
    if dropped > lost then
        shared:incr("lost", dropped - lost)
        lost = dropped
    end
end

-- Learns which models there are, if that has changed.
local function learn()
    local now = shared:get("models")
    if now ~= version then
        local texts = {}
        for i, server in ipairs(upstreams) do
            texts[i] = shared:get("models:" .. server) or ""
        end
        models, version = servers.set_of(texts), now
    end
end

-- `give_way`: lets others have their turn now and then.
local function flush(give_way)
    learn()
    tell()
    counts:flush(give_way)
end

local function giving_way()
    local count = 0
    return function(more)
        count = count + more
        if count >= BATCH then
            count = 0
            ngx.sleep(TURN)
        end
    end
end

-- A server that was not seen does not lose the names of its models, but none of them is loaded.
local function keep(server, seen, names)
    shared:set("server:" .. server, cjson.encode(seen))
    if names and names ~= shared:get("models:" .. server) and shared:safe_set("models:" .. server, names) then
        shared:incr("models", 1)
    end
end

local function look(server)
    local target = { server = server, name = upstreams[1] }
    local function get(path)
        return http.get(ngx.socket.tcp(), target, path, ngx.now)
    end
    keep(server, servers.look(get, ngx.time))
end

-- What somebody else saw of a server, `found` as of doors/said.lua, nil if it does not answer; the names of its models,
-- if they are told, and what is loaded as Ollama says it.
function _M.saw(server, found, names, loaded)
    keep(server, {
        up = found and 1 or 0,
        at = ngx.time(),
        loaded = found and servers.loaded_of(loaded) or {},
        requests = found and found.total,
        draining = found and (found.draining and 1 or 0),
    }, names and concat(names, "\n") .. "\n")
end

-- A request failed at a server before its answer began, and went on to another.
function _M.failed_over(server)
    counts:add("gatehouse_failed_over_total", families.labels({ "server" }, { server }), 1)
end

-- Returns a function that looks at a server unless the last look has not ended: a slow server holds up no other.
local function looker(server)
    local looks = false
    return function(premature)
        if looks or premature then
            return
        end
        looks = true
        local ok = pcall(look, server)
        looks = false
        if not ok then
            shared:set("server:" .. server, cjson.encode({ up = 0, at = ngx.time(), loaded = {} }))
        end
    end
end

-- Of workers that died while they ended nobody takes the place. `runs`: tells of a process id whether it lives.
local function bury(runs)
    for _, key in ipairs(shared:get_keys(0)) do
        local pid = match(key, "^worker:(%d+)$")
        if pid and not runs(pid) then
            forget(pid)
        end
    end
end

-- One for whose place another one stands in this configuration died without an end.
local function take_place()
    local place = "place:" .. generation .. ":" .. ngx.worker.id()
    local before = shared:get(place)
    if before then
        forget(before)
        shared:incr("restarts", 1)
    end
    shared:set(place, ngx.worker.pid())
end

-- `runs`: as above. Returns true; or nil and an error.
function _M.init_worker(runs)
    take_place()
    local every, at = ngx.timer.every, ngx.timer.at
    local ok, err = every(FLUSH, function(premature) flush(not premature and giving_way() or nil) end)
    if ngx.worker.id() > 0 then
        return ok, err
    end
    ok, err = every(BURY, function() bury(runs) end)
    for _, server in ipairs(is_told and {} or upstreams) do
        local callback = looker(server)
        if ok then
            ok, err = at(FIRST_LOOK, callback)
        end
        if ok then
            ok, err = every(LOOK, callback)
        end
    end
    return ok, err
end

function _M.exit_worker()
    flush()
    forget(ngx.worker.pid())
    shared:delete("place:" .. generation .. ":" .. ngx.worker.id())
end

-- A request goes on to a server. `is_counted`: whether the ledger will say something of it, which tells the same.
function _M.begin(is_counted)
    if not is_counted then
        ngx.var.gatehouse_passed = 1
    end
    in_flight = in_flight + 1
end

-- Whether a server has this model, or none has said yet what it has.
function _M.is_known(model)
    return models[model] or next(models) == nil
end

-- `model`: its one name; empty where none was named.
local function label_of(model)
    return (models[model] or model == "") and model or OTHER
end

local function below(place, value)
    local found = place[value]
    if not found then
        found = {}
        place[value] = found
    end
    return found
end

-- Returns a function that makes texts of up to four labels, each set of values once. There are no more of them than
-- there can be series, or it begins anew.
local function labels_of(...)
    local names, texts, count = { ... }, {}, 0
    return function(a, b, c, d)
        local place, last = below(below(below(texts, a), b), c or ""), d or ""
        if not place[last] then
            place[last], count = families.labels(names, { a, b, c, d }), count + 1
            if count > MOST then
                texts, count = {}, 0
            end
        end
        return place[last]
    end
end

local of_request = labels_of("client", "model", "route", "code")
local of_model = labels_of("model", "route")
local of_tokens = labels_of("client", "model", "type", "source")
local of_refusal = labels_of("client", "reason")

local function is_stream(kind)
    return kind and (find(kind, "ndjson", 1, true) or find(kind, "event-stream", 1, true))
end

-- What the ledger says of a request to a model. `labels`: of its histograms.
local function observe(entry, model, labels)
    if entry.source ~= "none" then
        local client, source = entry.client, entry.source
        counts:add("gatehouse_tokens_total", of_tokens(client, model, "prompt", source), entry.prompt_tokens)
        counts:add("gatehouse_tokens_total", of_tokens(client, model, "completion", source), entry.completion_tokens)
    end
    -- The first byte of an answer that is no stream is its end.
    local first = entry.first_chunk_seconds
    if first and entry.status == ngx.HTTP_OK and is_stream(ngx.var.sent_http_content_type) then
        counts:observe("gatehouse_first_chunk_seconds", labels, first)
        if entry.completion_tokens > 1 then
            local each = (entry.seconds - first) / (entry.completion_tokens - 1)
            counts:observe("gatehouse_token_seconds", labels, max(each, 0))
        end
    end
end

local function of_var(var)
    local named = var.gatehouse_model
    return {
        client = var.gatehouse_client,
        model = named == "" and "" or model_names.listed(named),
        route = var.gatehouse_route,
        seconds = max(ngx.now() - ngx.req.start_time(), 0),
    }
end

-- When a request has ended, whatever became of it. `entry`: what the ledger says of it; nil if it says nothing.
function _M.finish(entry)
    local var, status = ngx.var, ngx.status
    if entry or var.gatehouse_passed ~= "" then
        in_flight = in_flight - 1
    end
    local refused = var.gatehouse_refused
    if (entry or var.upstream_addr) and refused == "" then
        local about = entry or of_var(var)
        local model = label_of(about.model)
        local labels = of_model(model, about.route)
        counts:add("gatehouse_requests_total", of_request(about.client, model, about.route, status), 1)
        -- What a server refuses takes no time to tell of, and whoever likes could fill the room for lines with it.
        if status < 400 then
            counts:observe("gatehouse_request_duration_seconds", labels, about.seconds)
        end
        if entry then
            observe(entry, model, labels)
        end
    elseif status >= 400 and status ~= CLIENT_GONE then
        local reason = refused ~= "" and refused or REASONS[status] or "fault"
        counts:add("gatehouse_refused_requests_total", of_refusal(var.gatehouse_client, reason), 1)
    end
    -- Its timers have ended.
    if ngx.worker.exiting() then
        flush()
    end
end

-- What the workers tell of themselves: the sum of requests in flight, that of lines which wait, the longest wait, and
-- the sum of requests that wait for a server.
local function sum_of_workers()
    local flights, lines, longest, waits = 0, 0, 0, 0
    for _, key in ipairs(shared:get_keys(0)) do
        local text = find(key, "^worker:") and shared:get(key)
        if text then
            local flight, pending, lag, waiting = match(text, "^(%S+) (%S+) (%S+) (%S+) %S+$")
            flights, lines, longest = flights + flight, lines + pending, max(longest, tonumber(lag))
            waits = waits + waiting
        end
    end
    return flights, lines, longest, waits
end

-- Since when the hold is in force that all workers know of, 0 if there is one that knows of none; how many requests are
-- at servers, those of workers that end as well; and how many wait.
function _M.held()
    local since = huge
    for id = 0, ngx.worker.count() - 1 do
        local pid = shared:get("place:" .. generation .. ":" .. id)
        local text = pid and shared:get("worker:" .. pid)
        since = min(since, tonumber(text and match(text, "%S+$")) or 0)
    end
    local flights, _, _, waits = sum_of_workers()
    return since, flights - waits, waits
end

-- Returns a function that adds a line to the text about a name, and the parts of that text.
local function writer()
    local parts = {}
    return function(name, labels, value)
        if not parts[name] then
            local kind, help = unpack(families.FOUND[name])
            parts[name] = { families.head("gatehouse_" .. name, kind, help) }
            parts[#parts + 1] = name
        end
        local of_name = parts[name]
        of_name[#of_name + 1] = families.line("gatehouse_" .. name, labels, value)
    end, parts
end

local function text_of(parts)
    local texts = {}
    for i, name in ipairs(parts) do
        texts[i] = concat(parts[name])
    end
    return concat(texts)
end

local function show_servers(write)
    for _, server in ipairs(upstreams) do
        local seen = cjson.decode(shared:get("server:" .. server) or "")
        if seen then
            local labels = families.labels({ "server" }, { server })
            write("server_up", labels, seen.up)
            write("server_looked_at_timestamp_seconds", labels, seen.at)
            if seen.requests then
                write("server_requests", labels, seen.requests)
                write("server_draining", labels, seen.draining)
            end
            for _, loaded in ipairs(seen.loaded) do
                local about = labels .. "," .. families.labels({ "model" }, { loaded.model })
                write("model_size_bytes", about, loaded.size)
                write("model_vram_bytes", about, loaded.vram)
            end
        end
    end
end

-- All that is looked up rather than counted.
local function found()
    local write, parts = writer()
    local flights, lines, longest, waits = sum_of_workers()
    write("requests_in_flight", "", flights)
    write("requests_waiting", "", waits)
    show_servers(write)
    local ends = certificate_path and certificate.ends(certificate_path)
    if ends then
        write("certificate_expiry_timestamp_seconds", "", ends)
    end
    local is_lost = store_is_lost()
    if is_lost ~= nil then
        write("valkey_up", "", is_lost and 0 or 1)
    end
    write("ledger_lag_seconds", "", longest)
    write("ledger_pending_lines", "", lines)
    write("ledger_lost_lines_total", "", shared:get("lost"))
    write("worker_restarts_total", "", shared:get("restarts"))
    local size, dropped = counts:size()
    write("metrics_series", "", size)
    write("metrics_dropped_total", "", dropped)
    return text_of(parts)
end

-- The limits of all clients, and what is used of them.
local function limits_of_clients(give_way)
    local write, parts = writer()
    each_limited(function(client, state)
        for _, entry in ipairs(state) do
            local labels = families.labels({ "client", "limit", "model" }, { client, entry.name, entry.model or "" })
            write("client_limit", labels, entry.limit)
            write("client_limit_used", labels, entry.used)
        end
        give_way(2 * #state)
    end)
    return text_of(parts)
end

-- Answers a scrape.
function _M.show()
    ngx.header.content_type = "text/plain; version=0.0.4; charset=utf-8"
    local parts, size = { found() }, 0
    local give_way = giving_way()
    counts:show(function(text, lines)
        parts[#parts + 1], size = text, size + #text
        if size >= PIECE then
            ngx.print(parts)
            if not ngx.flush(true) then
                -- Whoever asked has gone.
                return ngx.exit(ngx.ERROR)
            end
            parts, size = {}, 0
        end
        give_way(lines)
    end)
    ngx.print(parts)
    ngx.print(limits_of_clients(give_way))
end

return _M
