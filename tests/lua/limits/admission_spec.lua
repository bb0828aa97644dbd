-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local admission = require "gatehouse.limits.admission"
local clients = require "gatehouse.limits.clients"
local shared_dict = dofile("tests/lua/shared_dict.lua")

-- 2026-11-30T12:00:00Z
local NOON = 1796040000

describe("admission", function()
    local dict, gate

    local function worker(pid)
        return admission.new({ dict = dict, now = function() return dict.now end, pid = function() return pid end })
    end

    local function limits_of(source)
        return assert(clients.reader()(source))
    end

    local function at(seconds)
        dict.now = NOON + seconds
    end

    local function admit(limits, model, client)
        return assert(gate:admit(client or "alice", limits, model))
    end

    local function refusal(limits, model, client)
        local ticket, refused = gate:admit(client or "alice", limits, model)
        assert.is_nil(ticket)
        return refused
    end

    local function count_keys()
        return #dict:get_keys()
    end

    before_each(function()
        dict = shared_dict.new()
        at(0)
        gate = worker(1)
    end)

    describe("by requests a minute", function()
        local limits = limits_of({ requests_per_minute = 3 })

        it("ends at the limit, whichever worker is asked, and says when to come again", function()
            local other = worker(2)
            at(10)
            admit(limits)
            assert(other:admit("alice", limits))
            admit(limits)
            assert.are.same({
                limit = "requests_per_minute",
                retry_after = 51,
                is_spent_for_day = false,
                is_worth_waiting = false,
                message = "this client may make 3 requests a minute (requests_per_minute)",
            }, refusal(limits))
            assert.is_truthy(other:admit("bob", limits))
        end)

        it("allows one exactly when it said", function()
            for _, begin in ipairs({ 0, 0.5, 10, 59, 59.999 }) do
                dict:flush_all()
                at(begin)
                for _ = 1, 3 do admit(limits) end
                local wait = refusal(limits).retry_after
                at(begin + wait - 1.001)
                refusal(limits)
                at(begin + wait)
                admit(limits)
            end
        end)

        it("has no second burst at the border of a minute", function()
            local sixty = limits_of({ requests_per_minute = 60 })
            at(59)
            for _ = 1, 60 do admit(sixty) end
            at(60)
            assert.are.equal(1, refusal(sixty).retry_after)
            at(60.5)
            admit(sixty)
            refusal(sixty)
            at(75)
            for _ = 1, 14 do admit(sixty) end
            assert.are.equal(1, refusal(sixty).retry_after)
        end)

        it("never refuses who comes as often as it may in even steps", function()
            for _, limit in ipairs({ 1, 2, 3, 7, 60, 100 }) do
                dict:flush_all()
                local steady = limits_of({ requests_per_minute = limit })
                for i = 0, 5 * limit do
                    at(0.001 + i * (60 / limit + 0.0001))
                    admit(steady)
                end
            end
        end)

        it("never lets more than the limit into a minute of the clock, and hardly more into any other", function()
            math.randomseed(7)
            local ten, times = limits_of({ requests_per_minute = 10 }), {}
            local time = 0
            while time < 3600 do
                time = time + math.random() * 3
                at(time)
                if gate:admit("alice", ten) then
                    times[#times + 1] = time
                end
            end
            assert.is_true(#times > 9 * 60)
            for i = 1, #times - 13 do
                assert.is_true(times[i + 13] - times[i] > 60)
            end
        end)

        it("forgets by itself", function()
            admit(limits)
            at(131)
            assert.are.equal(0, count_keys())
        end)
    end)

    describe("by requests at the same time", function()
        local limits = limits_of({ concurrent_requests = 2 })

        it("ends at the limit until one ends, and that is worth waiting for", function()
            local first = admit(limits)
            assert(worker(2):admit("alice", limits))
            assert.are.same({
                limit = "concurrent_requests",
                retry_after = 1,
                is_spent_for_day = false,
                is_worth_waiting = true,
                message = "this client may have 2 requests at the same time (concurrent_requests)",
            }, refusal(limits))
            gate:release(first)
            admit(limits)
            refusal(limits)
        end)

        it("gives a slot back once, however often that is asked for", function()
            local first = admit(limits)
            admit(limits)
            for _ = 1, 3 do gate:release(first) end
            admit(limits)
            refusal(limits)
        end)

        it("finds a ticket by its id until it is released", function()
            local ticket = admit(limits)
            assert.are.equal(ticket, gate:ticket(tostring(ticket.id)))
            gate:release(ticket)
            assert.is_nil(gate:ticket(ticket.id))
            assert.is_nil(gate:ticket(""))
        end)

        it("never refuses who sends one after the other", function()
            local one = limits_of({ concurrent_requests = 1 })
            for _ = 1, 1000 do
                gate:release(admit(one))
            end
        end)

        it("gives back what a dead worker held, once, and nothing of the living", function()
            local other, third = worker(22), worker(3)
            admit(limits)
            assert(other:admit("alice", limits))
            assert(third:admit("bob", limits))
            local function lives(pid)
                return pid ~= "1"
            end
            for _ = 1, 2 do
                other:look(lives)
                third:look(lives)
            end
            local ticket = assert(other:admit("alice", limits))
            assert.is_nil((other:admit("alice", limits)))
            other:release(ticket)
            assert.are.equal(1, dict:get("c:alice"))
            assert.are.equal(1, dict:get("c:bob"))
            assert.is_nil(dict:get("h:1:alice"))
        end)

        it("gives back what the one held that had the same process id before", function()
            admit(limits)
            gate = worker(1)
            gate:look(function() return false end)
            admit(limits)
            admit(limits)
            refusal(limits)
            dict.now = dict.now + 61
            worker(2):look(function(pid) return pid == "2" end)
            admit(limits)
        end)

        it("loses no slot to a worker that is killed between two steps", function()
            -- The dictionary stops at the step with this number.
            local function killed_at(step)
                local count, target = 0, dict
                local killed = setmetatable({}, { __index = function(_, name)
                    return function(_, ...)
                        count = count + 1
                        if count > step then
                            error("killed")
                        end
                        return target[name](target, ...)
                    end
                end })
                local victim = admission.new({ dict = killed, now = function() return dict.now end,
                    pid = function() return 9 end })
                return pcall(function() victim:release(victim:admit("alice", limits)) end)
            end
            local step, is_done = 0, false
            while not is_done do
                dict:flush_all()
                gate = worker(1)
                -- So that the counts are there.
                gate:release(admit(limits))
                is_done = killed_at(step)
                gate:look(function(pid) return pid == "1" end)
                for _ = 1, 3 do
                    local tickets = { admit(limits), admit(limits) }
                    local third = gate:admit("alice", limits)
                    for _, ticket in ipairs(tickets) do gate:release(ticket) end
                    if third then gate:release(third) end
                end
                admit(limits)
                admit(limits)
                refusal(limits)
                step = step + 1
            end
            assert.is_true(step > 8)
        end)

        it("takes no more memory with the number of requests", function()
            for _ = 1, 100 do gate:release(admit(limits)) end
            local before = count_keys()
            for _ = 1, 100 do gate:release(admit(limits)) end
            assert.are.equal(before, count_keys())
        end)
    end)

    describe("by tokens", function()
        it("a minute ends once they are spent, and returns as the minute slides", function()
            local limits = limits_of({ tokens_per_minute = 100 })
            at(30)
            local ticket = admit(limits)
            assert(gate:charge(ticket, 99))
            assert(gate:charge(admit(limits), 1))
            assert.are.same({
                limit = "tokens_per_minute",
                retry_after = 31,
                is_spent_for_day = false,
                is_worth_waiting = false,
                message = "this client may use 100 tokens a minute (tokens_per_minute)",
            }, refusal(limits))
            at(60)
            refusal(limits)
            at(61)
            admit(limits)
        end)

        it("a minute returns after two minutes at the latest, however large an answer was", function()
            local limits = limits_of({ tokens_per_minute = 100 })
            assert(gate:charge(admit(limits), 10 ^ 9))
            local wait = refusal(limits).retry_after
            assert.are.equal(120, wait)
            at(wait)
            admit(limits)
        end)

        it("a day ends until midnight UTC", function()
            local limits = limits_of({ tokens_per_day = 100, tokens_per_minute = 10 })
            assert(gate:charge(admit(limits), 100))
            assert.are.same({
                limit = "tokens_per_day",
                retry_after = 43200,
                is_spent_for_day = true,
                is_worth_waiting = false,
                message = "this client may use 100 tokens a day of UTC (tokens_per_day)",
            }, refusal(limits))
            at(43199.5)
            assert.are.equal(1, refusal(limits).retry_after)
            at(43200)
            admit(limits)
            at(43200 + 43200)
            assert.are.equal(0, gate:state("alice", limits)[2].used)
        end)

        it("counts them when the answer ends", function()
            local limits = limits_of({ tokens_per_day = 100, tokens_per_minute = 50 })
            at(43190)
            local ticket = admit(limits)
            at(43300)
            assert(gate:charge(ticket, 40))
            local state = gate:state("alice", limits)
            assert.are.equal(40, state[1].used)
            assert.are.equal(40, state[2].used)
        end)

        it("counts none for an answer that took none", function()
            local limits = limits_of({ tokens_per_day = 1 })
            assert(gate:charge(admit(limits), 0))
            admit(limits)
        end)
    end)

    describe("by models", function()
        local limits = limits_of({ requests_per_minute = 4, models = {
            ["tiny*"] = { requests_per_minute = 2, concurrent_requests = 2 },
            ["*:7b"] = { tokens_per_minute = 10 },
            ["*"] = { tokens_per_day = 1000 },
        } })

        it("has all limits whose pattern the model has, beside those of the client", function()
            assert(gate:charge(admit(limits, "tiny:7b"), 10))
            assert.are.same({
                limit = "tokens_per_minute",
                model = "*:7b",
                retry_after = 61,
                is_spent_for_day = false,
                is_worth_waiting = false,
                message = "this client may use 10 tokens a minute of models such as *:7b (tokens_per_minute)",
            }, refusal(limits, "other:7b"))
            admit(limits, "tiny")
            assert.are.equal("tiny*", refusal(limits, "tiny-loop:1b").model)
            admit(limits, "other")
            admit(limits, "other")
            assert.is_nil(refusal(limits, "other").model)
        end)

        it("charges nothing for a request that one of them refuses", function()
            admit(limits, "tiny")
            admit(limits, "tiny")
            for _ = 1, 10 do refusal(limits, "tiny") end
            admit(limits, "other")
            admit(limits, "other")
            refusal(limits, "other")
        end)

        it("takes no slot for a request that is refused, and no request for one without a slot", function()
            local both = limits_of({ requests_per_minute = 3, concurrent_requests = 2,
                models = { tiny = { concurrent_requests = 1 } } })
            local ticket = admit(both, "tiny")
            for _ = 1, 5 do
                assert.are.equal("tiny", refusal(both, "tiny").model)
            end
            local other = admit(both, "other")
            assert.are.equal("concurrent_requests", refusal(both, "other").limit)
            gate:release(ticket)
            gate:release(other)
            gate:release(admit(both, "tiny"))
            assert.are.equal("requests_per_minute", refusal(both, "tiny").limit)
            assert.are.equal(0, dict:get("c:alice"))
            assert.are.equal(0, dict:get("c:alice:tiny"))
            assert.are.equal(0, dict:get("h:1:alice"))
            assert.are.equal(0, dict:get("h:1:alice:tiny"))
        end)

        it("counts a model that is not known for those of all models only", function()
            assert(gate:charge(admit(limits), 1000))
            assert.are.equal("*", refusal(limits).model)
            assert.are.equal(0, gate:state("alice", limits)[4].used)
        end)
    end)

    describe("without limits", function()
        it("stores nothing", function()
            for _, limits in ipairs({ false, limits_of({ max_context = 1, keep_alive = 1 }) }) do
                local ticket = admit(limits or nil, "tiny")
                assert(gate:charge(ticket, 10))
                gate:release(ticket)
                assert.are.equal(0, count_keys())
            end
        end)
    end)

    describe("where memory is short", function()
        local limits = limits_of({ requests_per_minute = 50, concurrent_requests = 1, tokens_per_minute = 5,
            tokens_per_day = 5 })

        it("refuses who cannot be counted, and goes on with who is", function()
            gate:release(admit(limits))
            for room = 0, 4 do
                dict.room = room
                local ticket, refused, err = gate:admit("bob" .. room, limits)
                assert.is_nil(ticket)
                assert.is_nil(refused.limit)
                assert.are.equal(60, refused.retry_after)
                assert.is_truthy(err:find("no memory", 1, true))
                dict.room = 0
                gate:release(admit(limits))
                dict.now = dict.now + 0.1
            end
        end)

        it("has room for a client again once the minutes of others are over", function()
            local requests = limits_of({ requests_per_minute = 5 })
            dict = shared_dict.new(10)
            at(0)
            gate = worker(1)
            for i = 1, 10 do admit(requests, nil, "client" .. i) end
            refusal(requests, nil, "bob")
            at(60)
            refusal(requests, nil, "bob")
            at(131)
            admit(requests, nil, "bob")
        end)

        it("tells that tokens could not be charged", function()
            local ticket = admit(limits)
            dict.room = 0
            at(60)
            local ok, err = gate:charge(ticket, 3)
            assert.is_nil(ok)
            assert.is_truthy(err:find("no memory", 1, true))
            assert.are.equal(3, gate:state("alice", limits)[4].used)
        end)
    end)

    describe("after a restart", function()
        local limits = limits_of({ requests_per_minute = 5, tokens_per_minute = 50, tokens_per_day = 500,
            models = { tiny = { tokens_per_day = 50 } } })

        local function used(...)
            assert(gate:count("alice", limits, ...))
            local numbers = {}
            for i, entry in ipairs(gate:state("alice", limits)) do
                numbers[i] = entry.used
            end
            return numbers
        end

        it("counts what ended today, what ended less than two minutes ago, and what began in that time", function()
            at(30)
            assert.are.same({ 0, 0, 7, 7 }, used("tiny", NOON - 43200, 7))
            assert.are.same({ 0, 10, 27, 7 }, used("other", NOON - 1, 20, NOON - 61))
            assert.are.same({ 1, 20, 37, 17 }, used("tiny", NOON + 30, 10, NOON + 1))
            assert.are.same({ 1, 20, 37, 17 }, used("tiny", NOON - 43200.001, 100))
        end)

        it("counts what ended less than two minutes ago, also if that was yesterday", function()
            at(-43190)
            assert.are.same({ 0, 8, 0, 0 }, used("tiny", NOON - 43205, 10, NOON - 43800))
        end)
    end)

    it("tells the state of each limit", function()
        local limits = limits_of({ requests_per_minute = 2, concurrent_requests = 3, tokens_per_minute = 50,
            tokens_per_day = 100, max_context = 5, models = { tiny = { tokens_per_day = 7 } } })
        at(15)
        local ticket = admit(limits, "tiny")
        admit(limits, "other")
        assert(gate:charge(ticket, 60))
        assert.are.same({
            { name = "requests_per_minute", limit = 2, used = 2, remaining = 0, reset = 46 },
            { name = "concurrent_requests", limit = 3, used = 2, remaining = 1, reset = 0 },
            { name = "tokens_per_minute", limit = 50, used = 60, remaining = 0, reset = 56 },
            { name = "tokens_per_day", limit = 100, used = 60, remaining = 40, reset = 43185 },
            { name = "tokens_per_day", model = "tiny", limit = 7, used = 60, remaining = 0, reset = 43185 },
        }, gate:state("alice", limits))
        assert.are.same({ name = "requests_per_minute", limit = 2, used = 0, remaining = 2, reset = 0 },
            gate:state("bob", limits)[1])
    end)

    it("tells clients of OpenAI the limits of which least remains", function()
        local limits = limits_of({ requests_per_minute = 60, tokens_per_minute = 50, tokens_per_day = 100,
            models = { tiny = { requests_per_minute = 2 } } })
        at(15)
        assert(gate:charge(admit(limits, "tiny"), 20))
        assert.are.same({
            ["x-ratelimit-limit-requests"] = "2",
            ["x-ratelimit-remaining-requests"] = "1",
            ["x-ratelimit-reset-requests"] = "0s",
            ["x-ratelimit-limit-tokens"] = "50",
            ["x-ratelimit-remaining-tokens"] = "30",
            ["x-ratelimit-reset-tokens"] = "0s",
        }, gate:headers("alice", limits, "tiny", {}))
        assert.are.equal("59", gate:headers("alice", limits, "other", {})["x-ratelimit-remaining-requests"])
        assert(gate:charge(admit(limits, "other"), 80))
        assert.are.same({ limit = "100", remaining = "0", reset = "11h59m45s" }, {
            limit = gate:headers("alice", limits, nil, {})["x-ratelimit-limit-tokens"],
            remaining = gate:headers("alice", limits, nil, {})["x-ratelimit-remaining-tokens"],
            reset = gate:headers("alice", limits, nil, {})["x-ratelimit-reset-tokens"],
        })
        assert.are.same({}, gate:headers("alice", limits_of({ concurrent_requests = 1, max_context = 1 }), nil, {}))
    end)
end)
