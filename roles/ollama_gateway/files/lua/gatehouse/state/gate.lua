-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Admits requests within limits that all gateways share. It stands before the gate of this gateway
-- (limits/admission.lua), which counts along: where the store is lost, that one decides by what it knows, or nobody is
-- let in.
--
-- A request has its slot on a lease that is renewed while it lasts: a gateway that dies gives nothing back.

local refusals = require "gatehouse.limits.refusals"
local report = require "gatehouse.limits.report"
local scopes = require "gatehouse.limits.scopes"
local windows = require "gatehouse.limits.windows"

local date = os.date
local max = math.max
local concat = table.concat
local gmatch = string.gmatch

-- In seconds: how long a lease is, how often it is renewed, and after which time one may come back for whom the store
-- is lost.
local LEASE, RENEWAL, LOST_RETRY = 30, 10, 1
local LIMITS = { "requests_per_minute", "concurrent_requests", "tokens_per_minute", "tokens_per_day" }
-- What a reply has before the scopes, and of each: see state/scripts.lua.
local HEAD, REQUESTS, TOKENS, DAY, SLOTS, SIZE = 3, 1, 3, 5, 6, 6
-- How many slots are renewed at once.
local RENEWED = 100

local _M = {}
local methods = {}

local function day_key(time)
    return "day:" .. date("!%Y-%m-%d", time)
end

-- What is used, by the store; of tokens by this gateway, if that knows more: of those the store hears later.
local shared_counts = {}

local function value(self, scope, place)
    return self.reply[HEAD + (self.places[scope] - 1) * SIZE + place]
end

function shared_counts:requests(scope, minute)
    return value(self, scope, REQUESTS + self.minute - minute)
end

function shared_counts:tokens(scope, minute)
    return max(value(self, scope, TOKENS + self.minute - minute), self.own:tokens(scope, minute))
end

function shared_counts:tokens_of_day(scope, day)
    return max(value(self, scope, DAY), self.own:tokens_of_day(scope, day))
end

function shared_counts:slots_taken(scope)
    return value(self, scope, SLOTS)
end

local SHARED = { __index = shared_counts }

-- Returns counts, as limits/report.lua takes them, the moment that they are of, and what reports of both: by the clock
-- of the store, but of a day by that of this gateway, which has asked for it.
local function counts_of(self, reply, all)
    local moment = windows.at(reply[2] + reply[3] / 1000000)
    moment.day = windows.at(self.now()).day
    local places = {}
    for i, scope in ipairs(all) do
        places[scope] = i
    end
    local counts = setmetatable({ reply = reply, places = places, minute = moment.minute, own = self.own.counts },
        SHARED)
    return counts, moment, report.new(counts, function() return moment end)
end

local function keys_of(all)
    local keys = {}
    for i, scope in ipairs(all) do
        keys[2 * i - 1], keys[2 * i] = "minute:" .. scope.name, "slots:" .. scope.name
    end
    return keys
end

-- Asks the store. Returns its reply as a list of numbers; or nil.
local function ask(self, script, all, args)
    local keys = keys_of(all)
    keys[#keys + 1] = day_key(self.now())
    local text = self.line:call(script, keys, args)
    local reply, count = {}, 0
    for number in gmatch(type(text) == "string" and text or "", "%-?%d+") do
        count = count + 1
        reply[count] = tonumber(number)
    end
    return count == HEAD + SIZE * #all and reply or nil
end

local function ask_to_admit(self, all, id)
    local args = { id, LEASE * 1000 }
    for _, scope in ipairs(all) do
        local limits = {}
        for i, name in ipairs(LIMITS) do
            limits[i] = scope.limits[name] or 0
        end
        args[#args + 1], args[#args + 2] = scope.name, concat(limits, " ")
    end
    return ask(self, "admit", all, args)
end

-- What has to be told when it ends: who has a slot, and who is charged by the minute.
local function has_end(all)
    for _, scope in ipairs(all) do
        if scope.limits.concurrent_requests or scope.limits.tokens_per_minute then
            return true
        end
    end
    return false
end

-- Counts along, and keeps what there is to tell when the request ends.
local function take(self, ticket, id, all)
    ticket.shared = { id = id, scopes = all }
    if has_end(all) then
        self.held[id] = all
    end
    return ticket
end

-- As `admit` in limits/admission.lua, with the `id` of the request, and in the place of the last one a function that
-- adds the headers of the answer.
function methods:admit(client, limits, model, id)
    local own, all = self.own, scopes.of(client, limits, model or "")
    local refusal, problem = own:spent(client, limits, model)
    if refusal then
        return nil, refusal, problem
    end
    local reply = ask_to_admit(self, all, id)
    if not reply then
        if self.refuses then
            return nil, refusals.uncounted(LOST_RETRY)
        end
        local ticket, refused, err = own:admit(client, limits, model)
        -- Told anyway: the store may be back before it ends.
        return ticket and take(self, ticket, id, all), refused, err
    end
    local counts, moment, reporter = counts_of(self, reply, all)
    local function add_headers(headers)
        return reporter:headers(client, limits, model, headers)
    end
    if reply[1] ~= 1 then
        return nil, refusals.find(counts, all, moment) or refusals.uncounted(LOST_RETRY), nil, add_headers
    end
    local ticket, err = own:note(client, limits, model)
    return take(self, ticket, id, all), nil, err, add_headers
end

-- Tells that a request has ended, and what it took.
local function tell_end(self, id, all, tokens)
    local is_charged = false
    for _, scope in ipairs(all) do
        is_charged = is_charged or scope.limits.tokens_per_minute ~= nil
    end
    -- The second time it may have been charged, and the minute may be over.
    self.line:tell("finish", keys_of(all), { id, is_charged and tokens or 0 }, { id, 0 })
end

-- A request has ended, and took so many tokens. Returns true; or nil and an error.
function methods:finish(ticket, tokens)
    local own, shared = self.own, ticket.shared
    local ok, err = own:finish(ticket, tokens)
    if shared and self.held[shared.id] then
        self.held[shared.id] = nil
        tell_end(self, shared.id, shared.scopes, tokens)
    end
    return ok, err
end

-- Renews the slots of all requests of this worker that go on.
local function renew(self)
    local keys, args
    for id, all in pairs(self.held) do
        for _, scope in ipairs(all) do
            if scope.limits.concurrent_requests then
                if not keys or #keys == RENEWED then
                    keys, args = {}, { LEASE * 1000 }
                    self.line:tell_first("renew", keys, args)
                end
                keys[#keys + 1], args[#args + 1] = "slots:" .. scope.name, id
            end
        end
    end
end

-- A turn of the thread that speaks to the store: what was asked, what has ended, and from time to time what goes on;
-- also right after the store was lost or turned out to be another one, which may have forgotten it.
function methods:turn()
    local now, losses = self.now(), self.store:losses()
    if not self.store:is_lost()
        and (self.renewed_at ~= losses or now - self.renewed >= RENEWAL or now < self.renewed) then
        self.renewed, self.renewed_at = now, losses
        renew(self)
    end
    self.line:turn()
end

-- Whether there is nothing to tell any more.
function methods:is_idle()
    return next(self.held) == nil and (self.line:is_empty() or self.store:is_lost())
end

-- See limits/report.lua; what other gateways let through counts, too.
function methods:state(client, limits)
    local all, names = scopes.of(client, limits), {}
    for i, scope in ipairs(all) do
        names[i] = scope.name
    end
    local reply = ask(self, "look", all, names)
    if not reply then
        return self.own:state(client, limits)
    end
    local _, _, reporter = counts_of(self, reply, all)
    return reporter:state(client, limits)
end

-- `store`: as state/store.lua makes it; `line`: as state/line.lua does; `own`: the gate of this gateway; `refuses`:
-- whether nobody is let in while the store is lost; `now`: tells the time in seconds.
function _M.new(options)
    options.held, options.renewed = {}, 0
    return setmetatable(options, { __index = methods })
end

return _M
