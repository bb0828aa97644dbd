-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local bodies = require "gatehouse.bodies"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local MEBIBYTE = 1048576

describe("bodies in flight", function()
    local dict

    local function worker(pid, room, largest)
        return bodies.new(dict, room or 80 * MEBIBYTE, largest or MEBIBYTE, function() return pid end)
    end

    local function take(of, client, cost)
        local ok, is_own = of:reserve(client, cost)
        return ok and "room" or is_own and "own" or "all"
    end

    before_each(function()
        dict = shared_dict.new()
    end)

    it("take what nginx and Lua have of them, in whole pages, and small ones nothing", function()
        assert.are.equal(0, bodies.cost(0))
        assert.are.equal(0, bodies.cost(8192))
        assert.are.equal(20480, bodies.cost(8193))
        assert.are.equal(262144, bodies.cost(131072))
        assert.are.equal(64 * MEBIBYTE + 131072, bodies.cost(64 * MEBIBYTE))
    end)

    it("of one client take a quarter at the most, whichever worker is asked", function()
        local one, other = worker(1), worker(2)
        assert.are.equal("room", take(one, "alice", 15 * MEBIBYTE))
        assert.are.equal("own", take(other, "alice", 6 * MEBIBYTE))
        assert.are.equal("room", take(other, "alice", 5 * MEBIBYTE))
        assert.are.equal("own", take(one, "alice", 4096))
        assert.are.equal("room", take(one, "bob", 20 * MEBIBYTE))
    end)

    it("of all clients together take no more than there is", function()
        local one = worker(1)
        for _, client in ipairs({ "a", "b", "c", "d" }) do
            assert.are.equal("room", take(one, client, 19 * MEBIBYTE))
        end
        assert.are.equal("all", take(one, "e", 5 * MEBIBYTE))
        assert.are.equal("room", take(one, "e", 4 * MEBIBYTE))
        assert.are.equal("all", take(one, "f", 4096))
    end)

    it("are room again once their requests end, and what was not needed before", function()
        local one = worker(1)
        for _ = 1, 100 do
            assert.are.equal("room", take(one, "alice", 20 * MEBIBYTE))
            one:give_back("alice", 19 * MEBIBYTE)
            assert.are.equal("own", take(one, "alice", 20 * MEBIBYTE))
            one:give_back("alice", MEBIBYTE)
        end
        assert.are.equal(0, dict:get("all"))
        assert.is_nil(dict:get("held:1:alice"))
    end)

    it("of the largest size have room even where a quarter is less", function()
        assert.are.equal("room", take(worker(1, 80 * MEBIBYTE, 40 * MEBIBYTE), "alice", bodies.cost(40 * MEBIBYTE)))
    end)

    it("of a worker that is dead take nothing, and those of the living stay", function()
        local one, other = worker(1), worker(22)
        take(one, "alice", 8 * MEBIBYTE)
        take(one, "bob", 4 * MEBIBYTE)
        take(other, "alice", 2 * MEBIBYTE)
        local function lives(pid)
            return pid == "22"
        end
        worker(22):look(lives)
        worker(23):look(lives)
        assert.are.equal(2 * MEBIBYTE, dict:get("all"))
        assert.are.equal(2 * MEBIBYTE, dict:get("client:alice"))
        assert.are.equal(0, dict:get("client:bob"))
        other:give_back("alice", 2 * MEBIBYTE)
        assert.are.equal(0, dict:get("all"))
    end)

    it("of a dead worker are given back once, whoever looks at the same time", function()
        local one = worker(1)
        take(one, "alice", 8 * MEBIBYTE)
        local function dead()
            return false
        end
        -- Both have seen it.
        local keys = dict:get_keys()
        local get_keys = dict.get_keys
        dict.get_keys = function() return keys end
        one:look(dead)
        one:look(dead)
        dict.get_keys = get_keys
        assert.are.equal(0, dict:get("all"))
    end)

    it("are refused where they cannot be counted, and drop no other count", function()
        local one = worker(1)
        take(one, "alice", MEBIBYTE)
        dict.room = 0
        assert.are.equal("all", take(one, "bob", 4096))
        assert.are.equal(MEBIBYTE, dict:get("all"))
        assert.are.equal("room", take(one, "alice", 4096))
    end)

    it("are forgotten with their client a day after its last one", function()
        local one = worker(1)
        take(one, "alice", 4096)
        one:give_back("alice", 4096)
        dict.now = dict.now + 86400
        assert.is_nil(dict:get("client:alice"))
        assert.are.equal("room", take(one, "alice", 4096))
    end)
end)
