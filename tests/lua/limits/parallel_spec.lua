-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Several workers at the same moment: each step on the memory that they share is one of a random worker.

local admission = require "gatehouse.limits.admission"
local clients = require "gatehouse.limits.clients"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local NOON = 1796040000
local WORKERS, ROUNDS = 4, 400

describe("workers that admit at the same time", function()
    local dict, steps, gates

    local function limits_of(source)
        return assert(clients.reader()(source))
    end

    before_each(function()
        math.randomseed(11)
        dict, steps, gates = shared_dict.new(), 0, {}
        dict.now = NOON
        local stepwise = setmetatable({}, { __index = function(_, name)
            return function(_, ...)
                coroutine.yield()
                steps = steps + 1
                return dict[name](dict, ...)
            end
        end })
        for i = 1, WORKERS do
            gates[i] = admission.new({ dict = stepwise, now = function() return dict.now end,
                pid = function() return i end })
        end
    end)

    -- Runs the functions, one step of a random one after the other.
    local function interleave(tasks)
        local running = {}
        for i, task in ipairs(tasks) do
            running[i] = coroutine.create(task)
        end
        while #running > 0 do
            local i = math.random(#running)
            assert(coroutine.resume(running[i]))
            if coroutine.status(running[i]) == "dead" then
                table.remove(running, i)
            end
        end
    end

    -- Has that many requests admitted in parallel. Returns the tickets and the refusals.
    local function admit(count, limits, model_of)
        local tasks, tickets, refusals = {}, {}, {}
        for i = 1, count do
            local gate = gates[i % WORKERS + 1]
            tasks[i] = function()
                local ticket, refusal = gate:admit("alice", limits, model_of and model_of(i))
                if ticket then
                    tickets[#tickets + 1] = { gate = gate, ticket = ticket, number = i }
                else
                    refusals[#refusals + 1] = refusal
                end
            end
        end
        interleave(tasks)
        return tickets, refusals
    end

    local function release(tickets)
        local tasks = {}
        for i, entry in ipairs(tickets) do
            tasks[i] = function() entry.gate:release(entry.ticket) end
        end
        interleave(tasks)
    end

    for _, name in ipairs({ "requests_per_minute", "concurrent_requests" }) do
        it("admit exactly as many as there is room for: " .. name, function()
            for _ = 1, ROUNDS do
                dict:flush_all()
                for _, gate in ipairs(gates) do gate.slots.enlisted = nil end
                local room, count = math.random(6), math.random(12)
                local tickets, refusals = admit(count, limits_of({ [name] = room }))
                assert.are.equal(math.min(room, count), #tickets)
                for _, refusal in ipairs(refusals) do
                    assert.are.equal(name, refusal.limit)
                end
                release(tickets)
            end
        end)
    end

    it("admit exactly as many as both limits have room for", function()
        for _ = 1, ROUNDS do
            dict.now = dict.now + 180
            local requests, slots, count = math.random(6), math.random(6), math.random(12)
            local limits = limits_of({ requests_per_minute = requests, concurrent_requests = slots })
            local tickets = admit(count, limits)
            assert.are.equal(math.min(requests, slots, count), #tickets)
            release(tickets)
            local left = requests - #tickets
            local more = admit(count, limits)
            assert.are.equal(math.min(left, slots, count), #more)
            release(more)
            assert.are.equal(0, dict:get("c:alice"))
        end
    end)

    it("refuse nobody because of one that a limit on its model refuses", function()
        for _ = 1, ROUNDS do
            dict.now = dict.now + 180
            local own, of_model, tiny, other = math.random(8), math.random(3), math.random(8), math.random(8)
            local name = math.random(2) == 1 and "requests_per_minute" or "concurrent_requests"
            local tickets = admit(tiny + other, limits_of({ [name] = own, models = { tiny = { [name] = of_model } } }),
                function(i) return i <= tiny and "tiny" or "other" end)
            local tinies = 0
            for _, entry in ipairs(tickets) do
                tinies = tinies + (entry.number <= tiny and 1 or 0)
            end
            assert.is_true(tinies <= of_model)
            -- All room is used, or nobody is left who could use it.
            assert.is_true(#tickets == own
                or #tickets < own and #tickets == math.min(tiny, of_model) + other,
                ("%d of %d, %d tiny of %d, %d other"):format(#tickets, own, tinies, of_model, other))
            release(tickets)
        end
    end)

    it("have no more slots taken than there are at any time, and refuse nobody while one is free", function()
        local limit = 2
        local limits = limits_of({ concurrent_requests = limit })
        -- How many hold a slot for sure, and how many may: from before it is asked for until after it is given back.
        local sure, possible = 0, {}
        local function holding(from, to)
            local most = 0
            for moment = from, to do
                local count = 0
                for _, span in ipairs(possible) do
                    if span.from <= moment and moment <= (span.to or moment) and not span.refused then
                        count = count + 1
                    end
                end
                most = math.max(most, count)
            end
            return most
        end
        local tasks, refused = {}, {}
        for i = 1, 60 do
            local gate = gates[i % WORKERS + 1]
            tasks[i] = function()
                for _ = 1, math.random(40) do coroutine.yield() end
                local span = { from = steps }
                possible[#possible + 1] = span
                local ticket = gate:admit("alice", limits)
                if not ticket then
                    span.to, span.refused = steps, true
                    refused[#refused + 1] = span
                    return
                end
                sure = sure + 1
                assert(sure <= limit)
                for _ = 1, math.random(10) do coroutine.yield() end
                sure = sure - 1
                gate:release(ticket)
                span.to = steps
            end
        end
        interleave(tasks)
        assert.is_true(#refused > 5)
        for _, span in ipairs(refused) do
            assert.is_true(holding(span.from, span.to) >= limit)
        end
        assert.are.equal(0, dict:get("c:alice"))
    end)

    it("give back what a dead one held once, while others go on", function()
        local limits = limits_of({ concurrent_requests = 3 })
        for _ = 1, 50 do
            dict:flush_all()
            for _, gate in ipairs(gates) do gate.slots.enlisted = nil end
            local held = admit(3, limits)
            local dead = 2
            local function lives(pid)
                return tonumber(pid) ~= dead
            end
            local tasks = {}
            for _, gate in ipairs({ gates[1], gates[3], gates[4] }) do
                tasks[#tasks + 1] = function() gate:look(lives) end
            end
            interleave(tasks)
            local living = {}
            for _, entry in ipairs(held) do
                if entry.gate ~= gates[dead] then
                    living[#living + 1] = entry
                end
            end
            assert.are.equal(#living, dict:get("c:alice"))
            release(living)
            assert.are.equal(0, dict:get("c:alice"))
        end
    end)
end)
