-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local shared_dict = require "tests.lua.shared_dict"
local view = require "gatehouse.doors.view"

describe("what is known of doors", function()
    local dict, one, other

    local function said(more)
        local found = { draining = false, capacity = 2, total = 0, warm = {}, loaded = 0, tags_hash = "h" }
        for key, value in pairs(more or {}) do
            found[key] = value
        end
        return found
    end

    before_each(function()
        dict = shared_dict.new(1000)
        dict.now = 100
        local doors = { { name = "gpu1", host = "10.0.0.1", port = 1 }, { name = "gpu2", host = "10.0.0.2", port = 1 } }
        -- Two workers.
        one = view.new(dict, doors, function() return dict.now end)
        other = view.new(dict, doors, function() return dict.now end)
    end)

    it("is that nobody takes a request before they were looked at", function()
        one:refresh()
        assert.is_false(one.doors[1].up)
        assert.is_nil(one:with("a:latest"))
    end)

    it("is the same for all workers", function()
        one:saw(2, said({ total = 3, warm = { "a:latest" }, loaded = 1 }), { "a:latest", "b:latest" }, 1)
        other:refresh()
        local door = other.doors[2]
        assert.are.same({ true, 2, 2, true, 1 },
            { door.up, door.others, door.capacity, door.warm["a:latest"], door.loaded })
        assert.are.same({ door }, other:with("b:latest"))
        assert.are.equal("h", other:tags_hash(2))
    end)

    it("never is that others have fewer than no requests", function()
        one:saw(1, said({ total = 1 }), {}, 5)
        one:refresh()
        assert.are.equal(0, one.doors[1].others)
    end)

    it("is that a server which drains or does not answer takes none, and has its models still", function()
        one:saw(1, said(), { "a:latest" }, 0)
        one:saw(1, said({ draining = true }), nil, 0)
        one:refresh()
        assert.are.same({ true, true }, { one.doors[1].draining, one.doors[1].up })
        one:missed(1)
        one:refresh()
        assert.are.same({ false, false }, { one.doors[1].draining, one.doors[1].up })
        assert.are.same({ one.doors[1] }, one:with("a:latest"))
    end)

    it("is that a model which was removed is gone", function()
        one:saw(1, said(), { "a:latest" }, 0)
        one:refresh()
        assert.is_not_nil(one:with("a:latest"))
        one:saw(1, said(), {}, 0)
        one:refresh()
        assert.is_nil(one:with("a:latest"))
    end)

    it("is that one which fails is put aside for a second, doubling to thirty", function()
        local times = {}
        for i = 1, 7 do
            one:failed(1)
            other:refresh()
            times[i] = other.doors[1].aside - dict.now
        end
        assert.are.same({ 1, 2, 4, 8, 16, 30, 30 }, times)
    end)

    it("is that one which works again is not, and that the next failure counts as the first", function()
        one:failed(1)
        one:failed(1)
        other:refresh()
        other:worked(1)
        one:refresh()
        assert.are.equal(0, one.doors[1].aside)
        one:failed(1)
        one:refresh()
        assert.are.equal(101, one.doors[1].aside)
    end)

    it("is where a model is just being loaded, for some seconds", function()
        one:loads("a:latest", 1)
        one:loads("a:latest", 2)
        assert.are.same({ true, true }, other:loading("a:latest"))
        assert.are.same({}, other:loading("b:latest"))
        dict.now = 104
        assert.are.same({}, other:loading("a:latest"))
    end)
end)
