-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local admission = require "gatehouse.limits.admission"
local clients = require "gatehouse.limits.clients"
local gates = require "gatehouse.state.gate"
local shared_dict = dofile("tests/lua/shared_dict.lua")

-- 2026-11-30T12:00:00Z
local NOON = 1796040000

describe("the gate of several gateways", function()
    local dict, own, line, store, gate

    local function limits_of(source)
        return assert(clients.reader()(source))
    end

    -- What the store says: whether it is let in, and what is used.
    local function says(is_in, ...)
        line.reply = table.concat({ is_in, NOON, 500000, ... }, " ")
    end

    local function new(refuses)
        local function now() return dict.now end
        gate = gates.new({ store = store, line = line, own = own, refuses = refuses, now = now })
    end

    local function told(name)
        local found = {}
        for _, call in ipairs(line.told) do
            if call[1] == name then
                found[#found + 1] = call
            end
        end
        return found
    end

    before_each(function()
        dict = shared_dict.new()
        dict.now = NOON
        own = admission.new({ dict = dict, now = function() return dict.now end, pid = function() return 1 end })
        store = { lost = false, is_lost = function(self) return self.lost end, lost_so_often = 0 }
        store.losses = function(self) return self.lost_so_often end
        line = {
            told = {},
            call = function(self, name, keys, args)
                self.called = { name, keys, args }
                return self.reply
            end,
            tell = function(self, ...) table.insert(self.told, { ... }) end,
            tell_first = function(self, ...) table.insert(self.told, { ... }) end,
            turn = function() return not store.lost end,
            is_empty = function() return true end,
        }
        new(false)
    end)

    it("asks the store for all limits at once, by the names of the scopes", function()
        says(1, 1, 0, 0, 0, 0, 1)
        local limits = limits_of({ requests_per_minute = 10, concurrent_requests = 3, tokens_per_day = 500 })
        assert.is_truthy(gate:admit("alice", limits, "tiny", "id"))
        assert.are.same({
            "admit", { "minute:alice", "slots:alice", "day:2026-11-30" }, { "id", 30000, "alice", "10 3 0 500" },
        }, line.called)
    end)

    it("says by what is used everywhere what is left", function()
        says(1, 4, 6, 0, 0, 0, 0)
        local _, _, _, add_headers = gate:admit("alice", limits_of({ requests_per_minute = 20 }), "tiny", "id")
        local headers = add_headers({})
        -- Of the six of the minute before, all but the first half second's share count.
        assert.are.equal("11", headers["x-ratelimit-remaining-requests"])
    end)

    it("refuses as one gateway does, and is worth waiting for where it is about a slot", function()
        says(0, 20, 0, 0, 0, 0, 0)
        local ticket, refusal = gate:admit("alice", limits_of({ requests_per_minute = 20 }), "tiny", "id")
        assert.is_nil(ticket)
        assert.are.equal("requests_per_minute", refusal.limit)
        assert.are.equal(60, refusal.retry_after)
        says(0, 0, 0, 0, 0, 0, 2)
        refusal = select(2, gate:admit("alice", limits_of({ concurrent_requests = 2 }), "tiny", "id"))
        assert.is_true(refusal.is_worth_waiting)
        says(0, 0, 0, 0, 0, 100, 0)
        refusal = select(2, gate:admit("alice", limits_of({ tokens_per_day = 100 }), "tiny", "id"))
        assert.is_true(refusal.is_spent_for_day)
        assert.are.equal(43200, refusal.retry_after)
    end)

    it("says when the day ends by the clock of this gateway, which asked for it", function()
        dict.now = NOON + 43198
        line.reply = table.concat({ 0, NOON + 43201, 0, 0, 0, 0, 0, 100, 0 }, " ")
        local refusal = select(2, gate:admit("alice", limits_of({ tokens_per_day = 100 }), "tiny", "id"))
        assert.are.equal("tokens_per_day", refusal.limit)
        assert.are.equal(1, refusal.retry_after)
    end)

    it("asks nobody where this gateway alone has used up the tokens", function()
        local limits = limits_of({ tokens_per_day = 100 })
        says(1, 0, 0, 0, 0, 0, 0)
        gate:finish(gate:admit("alice", limits, "tiny", "id"), 100)
        line.called = nil
        local ticket, refusal = gate:admit("alice", limits, "tiny", "id")
        assert.is_nil(ticket)
        assert.are.equal("tokens_per_day", refusal.limit)
        assert.is_nil(line.called)
    end)

    it("goes by what this gateway saw where the store is lost, and tells what ended all the same", function()
        local limits = limits_of({ requests_per_minute = 2, concurrent_requests = 2 })
        says(1, 1, 0, 0, 0, 0, 1)
        local first = gate:admit("alice", limits, "tiny", "one")
        line.reply = nil
        assert.is_truthy(gate:admit("alice", limits, "tiny", "two"))
        local ticket, refusal = gate:admit("alice", limits, "tiny", "three")
        assert.is_nil(ticket)
        assert.are.equal("requests_per_minute", refusal.limit)
        gate:finish(first, 5)
        assert.are.same({ "finish", { "minute:alice", "slots:alice" }, { "one", 0 }, { "one", 0 } }, line.told[1])
    end)

    it("or lets nobody in then", function()
        new(true)
        line.reply = nil
        local ticket, refusal = gate:admit("alice", limits_of({ requests_per_minute = 2 }), "tiny", "one")
        assert.is_nil(ticket)
        assert.is_nil(refusal.limit)
        assert.are.equal(1, refusal.retry_after)
    end)

    it("tells the end of a request once, and of one that has nothing to give back not at all", function()
        says(1, 1, 0, 0, 0, 0, 0)
        local ticket = gate:admit("alice", limits_of({ requests_per_minute = 2 }), "tiny", "one")
        gate:finish(ticket, 5)
        assert.are.same({}, line.told)
        ticket = gate:admit("alice", limits_of({ tokens_per_minute = 1000 }), "tiny", "two")
        gate:finish(ticket, 5)
        gate:finish(ticket, 5)
        assert.are.same({ "two", 5 }, told("finish")[1][3])
        assert.are.equal(1, #told("finish"))
    end)

    it("renews what runs, every ten seconds and when the store is there again, and nothing that has ended", function()
        local limits = limits_of({ concurrent_requests = 200 })
        says(1, 0, 0, 0, 0, 0, 1)
        local tickets = {}
        for i = 1, 150 do
            tickets[i] = gate:admit("alice", limits, "tiny", "id " .. i)
        end
        gate:turn()
        assert.are.equal(2, #told("renew"))
        gate:turn()
        assert.are.equal(2, #told("renew"))
        dict.now = NOON + 10
        for i = 1, 149 do
            gate:finish(tickets[i], 0)
        end
        gate:turn()
        assert.are.equal(3, #told("renew"))
        assert.are.same({ 30000, "id 150" }, told("renew")[3][3])
        -- Also where nobody here saw that it was away.
        store.lost_so_often = 1
        gate:turn()
        assert.are.equal(4, #told("renew"))
        gate:turn()
        assert.are.equal(4, #told("renew"))
    end)

    it("is idle only once nothing runs", function()
        says(1, 0, 0, 0, 0, 0, 1)
        local ticket = gate:admit("alice", limits_of({ concurrent_requests = 2 }), "tiny", "one")
        assert.is_false(gate:is_idle())
        gate:finish(ticket, 0)
        assert.is_true(gate:is_idle())
    end)
end)
