-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"
local failures = require "gatehouse.failures"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local HERE, THERE = "\127\0\0\1", "\10\0\0\1"

describe("failed tries", function()
    local addresses, names, tries

    local function new(limit)
        return failures.new({
            addresses = addresses,
            names = names,
            sign = digest.hmac("a key"),
            now = function() return addresses.now end,
            limit = limit,
        })
    end

    local function pass(seconds)
        addresses.now = addresses.now + seconds
        names.now = addresses.now
    end

    local function fail(count, address, user)
        for _ = 1, count do
            tries:finish(assert(tries:begin(address, user)), true)
        end
    end

    -- The seconds to wait before a further try; nil if it is allowed now. It is taken back.
    local function wait(address, user)
        local try, seconds = tries:begin(address, user)
        if try then
            tries:finish(try, false)
        end
        return seconds
    end

    before_each(function()
        addresses, names = shared_dict.new(), shared_dict.new()
        tries = new(3)
    end)

    it("are allowed up to the limit, and then end for that address until a minute after the first", function()
        fail(2, HERE)
        assert.is_nil(wait(HERE))
        pass(20)
        fail(1, HERE)
        assert.are.equal(40, wait(HERE))
        assert.is_nil(wait(THERE))
        pass(39.5)
        assert.are.equal(1, wait(HERE))
        pass(0.5)
        assert.is_nil(wait(HERE))
    end)

    it("with one name from many addresses end for that name", function()
        for i = 1, 30 do
            assert.is_nil(wait(THERE, "alice"))
            fail(1, "\10\0\1" .. string.char(i), "alice")
        end
        assert.are.equal(60, wait(THERE, "alice"))
        assert.is_nil(wait(THERE, "bob"))
        assert.is_nil(wait(THERE))
    end)

    it("of an address are not those of a name that is written like it", function()
        for i = 1, 30 do
            fail(1, "\10\0\1" .. string.char(i), "x")
        end
        assert.is_nil(wait("x" .. ("\0"):rep(3)))
        assert.is_nil(wait(THERE, HERE))
    end)

    it("count before they are judged: no more are under way than may fail", function()
        local first, second, third = tries:begin(HERE), tries:begin(HERE), tries:begin(HERE)
        assert.is_table(third)
        assert.are.equal(0, wait(HERE))
        tries:finish(first, true)
        assert.are.equal(0, wait(HERE))
        tries:finish(second, false)
        assert.is_nil(wait(HERE))
        tries:finish(third, true)
        fail(1, HERE)
        assert.are.equal(60, wait(HERE))
    end)

    it("count for the name too before they are judged, and one that has to wait counts nowhere", function()
        local open = {}
        for i = 1, 30 do
            open[i] = assert(tries:begin("\10\0\1" .. string.char(i), "alice"))
        end
        for _ = 1, 10 do
            assert.are.equal(0, wait(THERE, "alice"))
        end
        assert.is_nil(wait(THERE))
        for i = 1, 30 do
            tries:finish(open[i], false)
        end
        assert.is_nil(wait(THERE, "alice"))
        fail(3, THERE, "alice")
    end)

    it("count in the minute in which they began, and in no other", function()
        local old = assert(tries:begin(HERE))
        pass(60)
        fail(2, HERE)
        tries:finish(old, true)
        assert.is_nil(wait(HERE))
        pass(59)
        local late = { assert(tries:begin(HERE)) }
        pass(1)
        late[2], late[3] = assert(tries:begin(HERE)), assert(tries:begin(HERE))
        late[4] = assert(tries:begin(HERE))
        tries:finish(late[1], false)
        assert.are.equal(0, wait(HERE))
    end)

    it("that find no room have to wait, and throw nobody out", function()
        addresses = shared_dict.new(2)
        tries = new(3)
        fail(3, HERE)
        fail(1, THERE)
        assert.are.equal(60, wait("\10\0\0\2"))
        assert.are.equal(60, wait(HERE))
        assert.is_nil(wait(THERE))

        addresses, names = shared_dict.new(), shared_dict.new(0)
        tries = new(3)
        assert.are.equal(60, wait(HERE, "alice"))
        assert.is_nil(wait(HERE))
        fail(3, HERE)
    end)

    it("take the same room whatever was tried", function()
        for i = 1, 200 do
            fail(1, "\10\0\1" .. string.char(i), ("A"):rep(i))
        end
        local count = 0
        for key in pairs(names.entries) do
            assert.are.equal(2, #key)
            count = count + 1
        end
        -- Two of them may share a count; longer names than a client may have count for none.
        assert.is_true(count > 95 and count <= 100)
        for key in pairs(addresses.entries) do
            assert.are.equal(4, #key)
        end
    end)

    it("are forgotten when somebody says so", function()
        fail(3, HERE)
        tries:forget()
        assert.is_nil(wait(HERE))
    end)

    it("that were under way when all was forgotten count for nothing afterwards", function()
        local old = { assert(tries:begin(HERE)), assert(tries:begin(HERE)) }
        tries:forget()
        pass(1)
        local new_ones = { assert(tries:begin(HERE)), assert(tries:begin(HERE)), assert(tries:begin(HERE)) }
        tries:finish(old[1], false)
        tries:finish(old[2], true)
        assert.are.equal(0, wait(HERE))
        tries:finish(new_ones[1], false)
        assert.is_nil(wait(HERE))
    end)

    it("have no limit of 0", function()
        tries = new(0)
        fail(1000, HERE, "alice")
        assert.is_nil(wait(HERE, "alice"))
        assert.are.same({}, addresses.entries)
        assert.are.same({}, names.entries)
    end)
end)
