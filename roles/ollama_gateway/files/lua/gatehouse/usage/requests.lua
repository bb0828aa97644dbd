-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Between nginx and the modules that count: beside gatehouse.gateway and metrics/requests.lua the only one that touches
-- ngx. Each request to a model has a line in the ledger, whatever became of it once it was allowed.

local added_event = require "gatehouse.usage.added_event"
local answer = require "gatehouse.usage.answer"
local append = require "gatehouse.usage.append"
local include_usage = require "gatehouse.usage.include_usage"
local ledger = require "gatehouse.usage.ledger"
local model_names = require "gatehouse.model_names"

local open, remove, rename = io.open, os.remove, os.rename
local match = string.match
local ceil, max = math.ceil, math.max

-- In seconds: how often lines are written, and how often files that are too old are looked for.
local WRITE, EXPIRE = 0.05, 3600
-- How much of the end of a body that waits in a file is read for where it ends: more white space nobody sends.
local TAIL = 4096
-- So many bytes of a text make a token, as a rule.
local BYTES_OF_TOKEN = 4

-- It has no name in ngx.
local CLIENT_GONE = 499

local _M = {}
-- Nothing is counted where it is nil.
local book
local keep_days
-- The form of the answer, by the path of a route.
local forms = {}

-- In a thread, for a disk may be slow. Without one to be had, here: a line that waits too long could be lost.
local function append_in_thread(path, text)
    local ok, written, err = ngx.run_worker_thread("ledger", "gatehouse.usage.append", "append", path, text)
    if ok then
        return written, err
    end
    return append.append(path, text)
end

-- Once for all workers, before there are any. `settings`: those of the gateway; `log`: a function that takes a message.
function _M.init(folder, settings, log)
    if not settings.usage then
        return
    end
    keep_days = settings.usage.keep_days
    for _, route in ipairs(settings.routes) do
        forms[route.path] = route.usage
    end
    book = ledger.new({
        folder = folder .. "/state",
        now = ngx.now,
        append = function(path, text)
            return (ngx.worker.exiting() and append.append or append_in_thread)(path, text)
        end,
        remove = remove,
        log = log,
    })
end

-- Returns true; or nil and an error.
function _M.init_worker()
    if not book then
        return true
    end
    local ok, err = ngx.timer.every(WRITE, function() book:flush() end)
    if ok and ngx.worker.id() == 0 then
        ok, err = ngx.timer.every(EXPIRE, function() book:expire(keep_days) end)
    end
    return ok, err
end

function _M.exit_worker()
    if book then
        book:flush(true)
    end
end

-- Adds what asks for the tokens to a body that waits in a file: in place, for it may be large, and under another name,
-- for nginx removes the one that it knows.
local function ask_in_file(path)
    local asking = path .. ".asking"
    if not rename(path, asking) then
        return false
    end
    local file = open(asking, "r+b")
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

-- Has the server say in a stream how many tokens it took. Returns whether it will.
local function ask()
    local text = ngx.req.get_body_data()
    if text then
        ngx.req.set_body_data(include_usage.splice(text))
        return true
    end
    local path = ngx.req.get_body_file()
    return path ~= nil and ask_in_file(path)
end

-- The members of a body that have to be known, beside the names of models; nil if there are none.
function _M.watched(route)
    return book and route.usage == "chat_completions" and include_usage.WATCHED or nil
end

-- Before a request goes on. `found`: what was found in its body; nil if that cannot be read here.
function _M.begin(route, found)
    if not book or not route.usage then
        return
    end
    -- A form holds a sound.
    local length = route.model == "body" and tonumber(ngx.var.http_content_length)
    local bytes = found and found.text_bytes or length or 0
    local asks = found and route.usage == "chat_completions" and include_usage.wants(found) and ask()
    ngx.ctx.usage = {
        answer = answer.new(route.usage),
        -- Where that is too long to tell, the client may have asked for it, too.
        added = asks and not include_usage.client_asked(found) and added_event.new() or nil,
        prompt = ceil(bytes / BYTES_OF_TOKEN),
        whole = false,
    }
end

-- Each piece of an answer, as it passes.
function _M.filter()
    local counted = ngx.ctx.usage
    if not counted then
        return
    end
    local piece, is_last = ngx.arg[1], ngx.arg[2]
    if not counted.first and piece ~= "" then
        counted.first = ngx.now()
    end
    counted.answer:take(piece)
    counted.whole = counted.whole or is_last
    if counted.added then
        ngx.arg[1] = counted.added:take(piece, is_last)
    end
end

-- How many lines wait, for how many seconds the oldest does, and how many are lost.
function _M.state()
    if not book then
        return 0, 0, 0
    end
    return book:pending(), book:lag(), book:lost()
end

local NOTHING = { prompt = 0, completion = 0, source = "none", end_ = "complete" }

-- When a request has ended. It has another context then if the answer is the gateway's own, as where no server answers.
-- Returns what the ledger says of it; nil if it says nothing.
function _M.log()
    local var = ngx.var
    if not book or not forms[var.gatehouse_route] or not var.upstream_addr then
        return
    end
    local counted, status = ngx.ctx.usage, ngx.status
    -- Whoever went away before the first byte had an answer on its way.
    local answered = status == CLIENT_GONE and ngx.HTTP_OK or status
    local tokens = counted and counted.answer:finish(counted.whole, answered, counted.prompt) or NOTHING
    local begun = ngx.req.start_time()
    local entry = {
        request_id = var.request_id,
        client = var.gatehouse_client,
        key = var.gatehouse_key,
        model = model_names.listed(var.gatehouse_model) or "",
        route = var.gatehouse_route,
        status = status,
        prompt_tokens = tokens.prompt,
        completion_tokens = tokens.completion,
        source = tokens.source,
        end_ = tokens.end_,
        seconds = max(ngx.now() - begun, 0),
        first_chunk_seconds = counted and counted.first and max(counted.first - begun, 0),
        -- The last one if several were tried.
        server = match(var.upstream_addr, "[^%s,]*$"),
    }
    book:add(entry)
    -- Its timers have ended.
    if ngx.worker.exiting() then
        book:flush(true)
    end
    return entry
end

return _M
