-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the other modules: the only one that touches ngx. There is one worker, so what it knows is all
-- there is to know.

local drain = require "door.drain"
local errors = require "door.errors"
local in_flight = require "door.in_flight"
local view = require "door.view"

local open = io.open
local match, sub = string.match, string.sub

local DRAIN = "/etc/gatehouse/state/drain.json"
local ENOENT = 2
-- In seconds: what Ollama said may be told again that long.
local FRESH = 0.3
-- What writes models, by its path below /api/.
local WRITES = { pull = true, push = true, create = true, copy = true, delete = true }

local _M = {}

local function read_drain()
    local file, err, number = open(DRAIN, "rb")
    if not file then
        return nil, number ~= ENOENT and err or nil
    end
    local text
    text, err = file:read("*a")
    file:close()
    return text, err
end

local draining = drain.new(read_drain, function(message)
    ngx.log(ngx.ERR, message)
end)

-- By the name of a server: its requests in flight, and what it said last of itself.
local counts = setmetatable({}, {
    __index = function(all, server)
        all[server] = in_flight.new()
        return all[server]
    end,
})
local answers = {}
-- How many requests have ended that may have written models, which all servers of the host share.
local writes = 0

-- By the name of a server: when each gateway was last told that it takes requests, in seconds.
local told = setmetatable({}, {
    __index = function(all, server)
        all[server] = {}
        return all[server]
    end,
})

local function say(status, text)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end

-- In the phase of access: a request of the route table, which counts from now on.
function _M.admit(server)
    if draining:holds(ngx.now()) then
        return ngx.exit(503)
    end
    local model = ngx.var.http_x_gatehouse_model or ""
    counts[server]:begin(model)
    -- Behind a sign, since a model may have no name. A variable stays where the request is sent to a page of errors.
    ngx.var.gatehouse_counted = "=" .. model
end

-- In the phase of the log, which each request comes to, however it ends.
function _M.finish(server)
    local counted = ngx.var.gatehouse_counted
    if counted and counted ~= "" then
        counts[server]:finish(sub(counted, 2))
    end
    if WRITES[match(ngx.var.request_uri or "", "^/api/(%l+)") or ""] then
        writes = writes + 1
    end
end

-- What Ollama says of itself; or nil.
local function ask(server)
    local known = answers[server]
    local now = ngx.now()
    if known and known.writes == writes and now - known.at < FRESH and now >= known.at then
        return known
    end
    local before = writes
    local tags, ps = ngx.location.capture_multi({ { "/gatehouse/door/tags" }, { "/gatehouse/door/ps" } })
    if tags.status ~= 200 or tags.truncated or ps.status ~= 200 or ps.truncated then
        return nil
    end
    -- The list of models is a long one and mostly the same.
    local is_same = known and known.text == tags.body
    local said = {
        at = now,
        writes = before,
        text = tags.body,
        tags = is_same and known.tags or view.models_of(tags.body),
        hash = is_same and known.hash or ngx.md5(tags.body),
        ps = view.models_of(ps.body),
    }
    if said.tags and said.ps then
        answers[server] = said
        return said
    end
end

-- The content: how it stands with the server.
function _M.status(server, capacity)
    if ngx.req.get_method() ~= "GET" then
        return ngx.exit(404)
    end
    ngx.req.discard_body()
    local said = ask(server)
    local state = { draining = draining:holds(ngx.now()), in_flight = counts[server].counts }
    local gateway = ngx.var.gatehouse_gateway
    if not said then
        return say(503, view.error(gateway == "" and state or {}))
    end
    if gateway == "" then
        -- The host itself, inside the container.
        state.gateways = told[server]
    elseif not state.draining then
        told[server][gateway] = ngx.now()
    end
    state.capacity, state.hash, state.tags, state.ps = capacity, said.hash, said.tags, said.ps
    say(200, view.text(state, ngx.var.arg_tags))
end

-- The content where nginx has none: an error of the door.
function _M.fail()
    local var = ngx.var
    local status, may_go_on = errors.judge(ngx.status, var.upstream_connect_time, var.upstream_bytes_received)
    if may_go_on then
        ngx.header["X-Gatehouse-Door"] = "unavailable"
    end
    say(status, errors.text(status, var.request_uri or ""))
end

return _M
