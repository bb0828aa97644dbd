-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Admits requests within the limits of their client, in memory that all workers share. All limits of a request are
-- looked at before any is charged, and what is refused is not charged. Requests and slots are exact, whatever other
-- workers do at the same time. Tokens are known at the end of an answer: they are charged then, and stop the requests
-- after it.
--
-- What each request does goes over its scopes by recursion: mostly there is one, and LuaJIT compiles no function with a
-- loop of so few steps.
--
-- Who cannot be counted has to wait: anything else would open the gate to whoever fills that memory. Minutes make room
-- again as they end; counts of others are never thrown out.

local counters = require "gatehouse.limits.counters"
local refusals = require "gatehouse.limits.refusals"
local report = require "gatehouse.limits.report"
local scopes = require "gatehouse.limits.scopes"
local slots = require "gatehouse.limits.slots"
local windows = require "gatehouse.limits.windows"

local max = math.max

-- How often one tries again that depends on others, which take some microseconds.
local TRIES = 100

local _M = {}
local methods = {}

-- Of a request that cannot be counted, and the error for the log.
local function uncounted(err)
    return refusals.uncounted(), "failed to count a request: " .. err
end

-- Seconds until this scope has tokens again, 0 if it has some; or nil and an error. The counts exist from then on, so
-- that there is memory for them when the answer ends.
local function wait_for_tokens(self, scope, name, moment)
    local limit, count = scope.limits[name], self.counters
    if name == "tokens_per_day" then
        local spent, err = count:ensure(scopes.tokens_of_day(scope, moment.day), windows.life_of_day(moment))
        return spent and (spent >= limit and windows.seconds_until_day(moment) or 0), err
    end
    local minute = moment.minute
    local current, err = count:ensure(scopes.tokens(scope, minute), windows.life_of_minute(moment, minute))
    return current and windows.seconds_until_room(moment, limit, current,
        count:value(scopes.tokens(scope, minute - 1))), err
end

-- Returns nil if this scope has tokens; or the refusal, `longest` if that lasts longer, and an error if it cannot be
-- told.
local function refusal_of_tokens(self, scope, name, moment, longest)
    if not scope.limits[name] then
        return longest
    end
    local wait, err = wait_for_tokens(self, scope, name, moment)
    if not wait then
        return uncounted(err)
    end
    return wait > (longest and longest.retry_after or 0) and refusals.of(scope, name, wait) or longest
end

-- Returns nil if all from the place `i` on have tokens; or the refusal that lasts longest, and an error if it cannot be
-- told.
local function check_tokens(self, all, i, moment, longest)
    local scope = all[i]
    if not scope then
        return longest
    end
    local err
    longest, err = refusal_of_tokens(self, scope, "tokens_per_day", moment, longest)
    if not err then
        longest, err = refusal_of_tokens(self, scope, "tokens_per_minute", moment, longest)
    end
    if err then
        return longest, err
    end
    return check_tokens(self, all, i + 1, moment, longest)
end

-- One of the places that a request has to have: in the minute of a scope, or a slot of it.
local minute_place = { name = "requests_per_minute" }
local slot_place = { name = "concurrent_requests", is_worth_waiting = true }

function minute_place:reserve(of)
    self.has_place, self.settled, self.err = of.counters:reserve(self.key, self.room, self.life)
    if not self.has_place and self.settled then
        of.counters:withdraw(self.key)
    end
    return self.has_place
end

function minute_place:withdraw(of)
    of.counters:withdraw(self.key)
end

function minute_place:settle(of)
    of.counters:settle(self.key)
end

function minute_place:wait()
    return max(windows.seconds_until_room(self.moment, self.scope.limits.requests_per_minute, self.settled,
        self.previous), 1)
end

function slot_place:reserve(of)
    self.has_place, self.settled, self.err = of.slots:reserve(self.scope.name, self.scope.limits.concurrent_requests)
    return self.has_place
end

function slot_place:withdraw(of)
    of.slots:withdraw(self.scope.name)
end

function slot_place:settle(of)
    of.slots:settle(self.scope.name)
end

function slot_place.wait()
    return refusals.SLOT_RETRY
end

local MINUTE_PLACE, SLOT_PLACE = { __index = minute_place }, { __index = slot_place }

local function place_in_minute(self, scope, moment)
    local previous = self.counters:taken(scopes.requests(scope, moment.minute - 1))
    return setmetatable({
        scope = scope,
        key = scopes.requests(scope, moment.minute),
        room = scope.limits.requests_per_minute - windows.rest(moment, previous),
        life = windows.life_of_minute(moment, moment.minute),
        moment = moment,
        previous = previous,
    }, MINUTE_PLACE)
end

local function add_minutes(self, places, all, i, moment)
    local scope = all[i]
    if not scope then
        return
    elseif scope.limits.requests_per_minute then
        places[#places + 1] = place_in_minute(self, scope, moment)
    end
    return add_minutes(self, places, all, i + 1, moment)
end

local function add_slots(places, all, i)
    local scope = all[i]
    if not scope then
        return
    elseif scope.limits.concurrent_requests then
        places[#places + 1] = setmetatable({ scope = scope }, SLOT_PLACE)
    end
    return add_slots(places, all, i + 1)
end

-- Those in minutes first: who has none there need not wait for a slot.
local function places_of(self, all, moment)
    local places = {}
    add_minutes(self, places, all, 1, moment)
    add_slots(places, all, 1)
    return places
end

-- Takes all places from `i` on or none. Returns nil; or the place that was not to be had.
local function try(self, places, i)
    local place = places[i]
    if not place then
        return nil
    elseif not place:reserve(self) then
        return place
    end
    local missing = try(self, places, i + 1)
    if missing then
        place:withdraw(self)
    else
        place:settle(self)
    end
    return missing
end

-- Where a place depended on others. Returns what `take` does.
local function try_again(self, places, missing)
    for _ = 2, TRIES do
        if missing.err then
            return nil, uncounted(missing.err)
        elseif missing.has_place == false then
            return nil, refusals.of(missing.scope, missing.name, missing:wait(), missing.is_worth_waiting)
        end
        missing = try(self, places, 1)
        if not missing then
            return true
        end
    end
    -- A worker was stopped by the system between two steps.
    return nil, refusals.of(missing.scope, missing.name, refusals.SLOT_RETRY, true)
end

-- Returns true; or nil, the refusal, and an error if it is one of memory.
local function take(self, places)
    local missing = try(self, places, 1)
    if missing then
        return try_again(self, places, missing)
    end
    return true
end

local function new_ticket(self, all)
    self.last = self.last + 1
    local ticket = { id = self.last, scopes = all }
    self.tickets[ticket.id] = ticket
    return ticket
end

-- `limits`: as limits/clients.lua reads them, or nil; `model`: its name, or nil if that is not known. Returns a ticket,
-- which must be released once the request has ended, however it does; or nil, a refusal, and an error for the log if it
-- cannot be counted. See limits/refusals.lua.
--
-- `is_worth_waiting`: a slot is given back in the log phase, which is after its client has the last byte. One that
-- sends its requests one after the other is therefore never to be refused at once: the caller has to try again some
-- times, after 20 milliseconds each.
function methods:admit(client, limits, model)
    if not limits then
        return { scopes = {} }
    end
    local moment, all = windows.at(self.now()), scopes.of(client, limits, model or "")
    local refusal, err = check_tokens(self, all, 1, moment)
    if refusal then
        return nil, refusal, err
    end
    local ok
    ok, refusal, err = take(self, places_of(self, all, moment))
    if not ok then
        return nil, refusal, err
    end
    return new_ticket(self, all)
end

-- The ticket with this id that this worker gave out and that is not released yet: a request loses its context on the
-- way to an answer of the gateway's own, but no variable. One of a client without limits has none.
function methods:ticket(id)
    return self.tickets[tonumber(id)]
end

local function release_slots(self, all, i)
    local scope = all[i]
    if not scope then
        return
    elseif scope.limits.concurrent_requests then
        self.slots:release(scope.name)
    end
    return release_slots(self, all, i + 1)
end

-- Gives back the slots of a ticket, once.
function methods:release(ticket)
    if self.tickets[ticket.id] == ticket then
        self.tickets[ticket.id] = nil
        release_slots(self, ticket.scopes, 1)
    end
end

-- Counts for one scope what ended in this minute and day; nil where it is over. Returns an error, or nil.
local function add_tokens(self, scope, tokens, moment, minute, day)
    local _, err, problem
    if scope.limits.tokens_per_minute and minute then
        _, problem = self.counters:add(scopes.tokens(scope, minute), tokens, windows.life_of_minute(moment, minute))
    end
    if scope.limits.tokens_per_day and day then
        _, err = self.counters:add(scopes.tokens_of_day(scope, day), tokens, windows.life_of_day(moment))
    end
    return problem or err
end

-- Charges all scopes from `i` on. Returns an error, or nil.
local function charge_all(self, all, i, tokens, moment)
    if not all[i] then
        return nil
    end
    local err = add_tokens(self, all[i], tokens, moment, moment.minute, moment.day)
    return charge_all(self, all, i + 1, tokens, moment) or err
end

-- Charges what an answer took when it ends, which is now. Returns true; or nil and an error.
function methods:charge(ticket, tokens)
    if tokens <= 0 then
        return true
    end
    local err = charge_all(self, ticket.scopes, 1, tokens, windows.at(self.now()))
    return not err or nil, err and "failed to charge tokens: " .. err
end

-- A request has ended, and took so many tokens. Returns what `charge` does.
function methods:finish(ticket, tokens)
    local ok, err = self:charge(ticket, tokens)
    self:release(ticket)
    return ok, err
end

-- Counts a request of before: when it ended, in seconds, and how many tokens it took. `begun`: when it began; nil if it
-- is not to count as a request. What is over by now is not counted. Returns true; or nil and an error.
function methods:count(client, limits, model, ended, tokens, begun)
    local moment = windows.at(self.now())
    local at_end, at_begin = windows.at(ended), begun and windows.at(begun)
    local minute = at_end.minute >= moment.minute - 1 and at_end.minute or nil
    local day = at_end.day == moment.day and moment.day or nil
    local err
    for _, scope in ipairs(scopes.of(client, limits, model or "")) do
        err = add_tokens(self, scope, tokens, moment, minute, day) or err
        if at_begin and at_begin.minute >= moment.minute - 1 and scope.limits.requests_per_minute then
            err = select(2, self.counters:add(scopes.requests(scope, at_begin.minute), 1,
                windows.life_of_minute(moment, at_begin.minute))) or err
        end
    end
    return not err or nil, err and "failed to count a request: " .. err
end

local function note_minute(self, scope, moment)
    if scope.limits.requests_per_minute then
        return select(2, self.counters:add(scopes.requests(scope, moment.minute), 1,
            windows.life_of_minute(moment, moment.minute)))
    end
end

-- Counts a request that was let in by what all gateways share, whether there is room here or not. Returns a ticket as
-- `admit` does, and an error if it could not be counted everywhere.
function methods:note(client, limits, model)
    local moment, all, problem = windows.at(self.now()), {}, nil
    for _, scope in ipairs(scopes.of(client, limits, model or "")) do
        local err = note_minute(self, scope, moment)
        local has_slot, no_slot = true, nil
        if scope.limits.concurrent_requests then
            has_slot, no_slot = self.slots:take(scope.name)
        end
        -- What has no slot gives none back.
        all[#all + 1] = has_slot and scope or nil
        problem = problem or err or no_slot
    end
    return new_ticket(self, all), problem and "failed to count a request: " .. problem
end

-- The refusal of a client whose tokens are used up as far as is known here, and an error if that cannot be told; or
-- nil.
function methods:spent(client, limits, model)
    local all = scopes.of(client, limits, model or "")
    return check_tokens(self, all, 1, windows.at(self.now()))
end

-- Gives back the slots of workers that live no more. `lives`: tells it of a process id, as a text.
function methods:look(lives)
    self.slots:look(lives)
end

-- See limits/report.lua.
function methods:state(client, limits)
    return self.report:state(client, limits)
end

function methods:headers(client, limits, model, headers)
    return self.report:headers(client, limits, model, headers)
end

-- What this gateway has counted, as limits/report.lua asks for it.
local own_counts = {}

function own_counts:requests(scope, minute)
    return self.counters:taken(scopes.requests(scope, minute))
end

function own_counts:tokens(scope, minute)
    return self.counters:value(scopes.tokens(scope, minute))
end

function own_counts:tokens_of_day(scope, day)
    return self.counters:value(scopes.tokens_of_day(scope, day))
end

function own_counts:slots_taken(scope)
    return self.slots:taken(scope.name)
end

-- `dict`: as ngx.shared has them; `now`: tells the time in seconds, with fractions; `pid`: tells this worker's process
-- id.
function _M.new(options)
    local count = counters.new(options.dict, options.now)
    local slot = slots.new(count, options.pid)
    local counts = setmetatable({ counters = count, slots = slot }, { __index = own_counts })
    return setmetatable({
        now = options.now,
        counters = count,
        slots = slot,
        counts = counts,
        report = report.new(counts, function() return windows.at(options.now()) end),
        tickets = {},
        last = 0,
    }, { __index = methods })
end

return _M
