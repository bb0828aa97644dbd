-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local line = require "gatehouse.state.line"

describe("the line to the store", function()
    local store, one, sent, woken, last

    -- Waits as ngx.semaphore does where somebody else has a turn meanwhile.
    local function waiter()
        local posted = 0
        return {
            post = function(_, count) posted = posted + count end,
            wait = function()
                if posted == 0 then
                    coroutine.yield()
                end
                local had = posted > 0
                posted = 0
                return had
            end,
        }
    end

    local function start(...)
        local arguments = { ... }
        local thread = coroutine.create(function() return one:call(unpack(arguments)) end)
        assert(coroutine.resume(thread))
        return thread
    end

    local function finish(thread)
        return select(2, assert(coroutine.resume(thread)))
    end

    before_each(function()
        sent, woken = {}, 0
        store = {
            lost = false,
            is_lost = function(self) return self.lost end,
            call_all = function(self, calls)
                local names, replies = {}, {}
                last = calls
                for i, call in ipairs(calls) do
                    names[i], replies[i] = call[1], "reply to " .. call[1]
                end
                sent[#sent + 1] = table.concat(names, " ")
                if self.fails then
                    self.lost = true
                    return nil, "failed"
                end
                return replies
            end,
        }
        one = line.new({ store = store, new_waiter = waiter, wake = function() woken = woken + 1 end })
    end)

    it("sends all that was asked meanwhile in one message, in order, and gives each its own answer", function()
        local first, second = start("a", {}, {}), start("b", {}, {})
        one:tell("c", {}, {}, {})
        assert.are.equal(3, woken)
        assert.is_true(one:turn())
        assert.are.same({ "a b c" }, sent)
        assert.are.equal("reply to a", finish(first))
        assert.are.equal("reply to b", finish(second))
        assert.is_true(one:is_empty())
    end)

    it("gives nothing to who asked what the store refused, and the others theirs", function()
        local refused, other = start("a", {}, {}), start("b", {}, {})
        store.call_all = function() return { false, "yes" } end
        assert.is_true(one:turn())
        assert.is_nil(finish(refused))
        assert.are.equal("yes", finish(other))
    end)

    it("sends first what goes on, for others wait for places that may have been forgotten", function()
        local asked = start("a", {}, {})
        one:tell_first("renew", {}, {})
        one:turn()
        finish(asked)
        assert.are.same({ "renew a" }, sent)
    end)

    it("sends long ones in pieces", function()
        for _ = 1, 250 do
            one:tell("x", {}, {})
        end
        one:turn()
        assert.are.equal(3, #sent)
    end)

    it("lets nobody wait where the store is lost, and keeps what has to arrive", function()
        local asked = start("a", {}, {})
        one:tell("end 1", {}, { 7 }, { 0 })
        one:tell("renewal", {}, {})
        store.fails = true
        assert.is_false(one:turn())
        assert.is_nil(finish(asked))
        assert.is_nil(one:call("b", {}, {}))
        one:tell("end 2", {}, { 8 }, { 0 })
        assert.is_false(one:turn())
        store.fails, store.lost = false, false
        assert.is_true(one:turn())
        assert.are.equal("end 1 end 2", sent[#sent])
        -- What may have been charged is not charged again.
        assert.are.same({ 0 }, last[1][3])
        assert.are.same({ 8 }, last[2][3])
    end)

    it("keeps no more than so much of what nobody waits for", function()
        store.lost = true
        for _ = 1, 20000 do
            one:tell("end", {}, {}, {})
        end
        one:turn()
        store.lost = false
        one:turn()
        assert.are.equal(100, #sent)
    end)
end)
