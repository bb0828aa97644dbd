-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local waiting = require "gatehouse.waiting"

describe("a request that waits", function()
    local now, holds_until, waits

    before_each(function()
        now, holds_until = 100, 105
        waits = waiting.new({
            has_to = function() return now < holds_until end,
            longest = 10,
            most = 2,
            now = function() return now end,
            sleep = function(seconds)
                now = now + seconds
                coroutine.yield()
            end,
        })
    end)

    -- Returns what comes of it, or nil while it waits.
    local function finish(routine)
        local result
        while coroutine.status(routine) ~= "dead" do
            result = select(2, assert(coroutine.resume(routine)))
        end
        return result
    end

    local function begin()
        local routine = coroutine.create(function() return waits:wait() end)
        assert(coroutine.resume(routine))
        return routine
    end

    it("goes on as soon as it need not wait any longer", function()
        assert.is_true(finish(begin()))
        assert.is_true(now >= 105 and now < 105.5)
        assert.are.equal(0, waits.count)
    end)

    it("gives up when it took too long", function()
        holds_until = 1000
        assert.is_false(finish(begin()))
        assert.is_true(now >= 110 and now < 110.5)
        assert.are.equal(0, waits.count)
    end)

    it("is one of so many, and the next is refused at once", function()
        local one, other = begin(), begin()
        assert.are.equal(2, waits.count)
        assert.is_false(waits:wait())
        assert.are.equal(2, waits.count)
        assert.is_true(finish(one))
        assert.is_true(finish(other))
    end)

    it("leaves its place at the end, and the next one has it", function()
        holds_until = 1000
        local one, other = begin(), begin()
        finish(one)
        finish(other)
        local next_one = begin()
        assert.are.equal(1, waits.count)
        assert.is_false(finish(next_one))
        assert.are.equal(0, waits.count)
    end)
end)
