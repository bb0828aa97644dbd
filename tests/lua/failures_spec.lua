-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local failures = require "gatehouse.failures"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local HERE, THERE = "\127\0\0\1", "\10\0\0\1"

describe("failed tries", function()
    local dict, tries

    local function fail(count, address, user)
        for _ = 1, count do
            tries:failed(address, user)
        end
    end

    before_each(function()
        dict = shared_dict.new()
        tries = failures.new(dict, 3)
    end)

    it("are allowed up to the limit, and then end for that address until a minute after the first", function()
        fail(2, HERE)
        assert.is_nil(tries:wait(HERE))
        dict.now = dict.now + 20
        fail(1, HERE)
        assert.are.equal(40, tries:wait(HERE))
        assert.is_nil(tries:wait(THERE))
        dict.now = dict.now + 39.5
        assert.are.equal(1, tries:wait(HERE))
        dict.now = dict.now + 0.5
        assert.is_nil(tries:wait(HERE))
    end)

    it("with one name from many addresses end for that name", function()
        for i = 1, 30 do
            assert.is_nil(tries:wait(THERE, "alice"))
            fail(1, "\10\0\1" .. string.char(i), "alice")
        end
        assert.are.equal(60, tries:wait(THERE, "alice"))
        assert.is_nil(tries:wait(THERE, "bob"))
        assert.is_nil(tries:wait(THERE))
    end)

    it("from one network of IPv6 are those of one address", function()
        fail(3, "\32\1\13\184\0\0\0\1" .. ("a"):rep(8))
        assert.are.equal(60, tries:wait("\32\1\13\184\0\0\0\1" .. ("b"):rep(8)))
        assert.is_nil(tries:wait("\32\1\13\184\0\0\0\2" .. ("a"):rep(8)))
    end)

    it("of an address are not those of a name that is written like it", function()
        fail(30, HERE, "x")
        assert.is_nil(tries:wait("x" .. ("\0"):rep(3)))
        assert.is_nil(tries:wait(THERE, HERE))
    end)

    it("are forgotten when somebody says so", function()
        fail(3, HERE)
        tries:forget()
        assert.is_nil(tries:wait(HERE))
    end)

    it("have no limit of 0", function()
        tries = failures.new(dict, 0)
        fail(1000, HERE, "alice")
        assert.is_nil(tries:wait(HERE, "alice"))
        assert.are.same({}, dict.entries)
    end)
end)
