-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local families = require "gatehouse.metrics.families"
local series = require "gatehouse.metrics.series"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local REQUESTS, DURATION = "gatehouse_requests_total", "gatehouse_request_duration_seconds"

local function family(name)
    for _, one in ipairs(families.COUNTED) do
        if one.name == name then
            return one
        end
    end
end

describe("series", function()
    local dict

    local function worker(most)
        return series.new(dict, most or 1000)
    end

    local function lines(of)
        local found = {}
        of:show(function(text)
            for line in text:gmatch("[^\n]+") do
                found[#found + 1] = line
            end
        end)
        return found
    end

    local function shows(of, line)
        for _, one in ipairs(lines(of)) do
            if one == line then
                return true
            end
        end
        return false
    end

    before_each(function()
        dict = shared_dict.new()
    end)

    it("of all workers are added up, once they were flushed", function()
        local one, other = worker(), worker()
        one:add(REQUESTS, 'client="alice"', 1)
        one:add(REQUESTS, 'client="alice"', 2)
        other:add(REQUESTS, 'client="alice"', 4)
        assert.are.same({}, lines(one))
        one:flush()
        other:flush()
        assert.is_true(shows(other, REQUESTS .. '{client="alice"} 7'))
        one:flush()
        assert.is_true(shows(other, REQUESTS .. '{client="alice"} 7'))
    end)

    it("outlive the workers that counted, unless their form has changed", function()
        local one = worker()
        one:add(REQUESTS, 'client="alice"', 1)
        one:flush()
        assert.is_true(shows(worker(), REQUESTS .. '{client="alice"} 1'))
        dict:set("form", 0)
        assert.are.same({}, lines(worker()))
    end)

    it("of a name stand together behind one head", function()
        local one = worker()
        one:add(REQUESTS, 'client="alice"', 1)
        one:observe(DURATION, 'model="tiny:latest"', 1)
        one:flush()
        one:add(REQUESTS, 'client="bob"', 1)
        one:flush()
        assert.are.same({
            "# HELP " .. REQUESTS .. " " .. family(REQUESTS).help,
            "# TYPE " .. REQUESTS .. " counter",
            REQUESTS .. '{client="alice"} 1',
            REQUESTS .. '{client="bob"} 1',
        }, { unpack(lines(one), 1, 4) })
    end)

    it("of a histogram have cumulative buckets, a sum and a count", function()
        local one = worker()
        for _, value in ipairs({ 0.05, 0.1, 0.11, 700 }) do
            one:observe(DURATION, 'model="tiny:latest"', value)
        end
        one:flush()
        local labels = '{model="tiny:latest"'
        assert.is_true(shows(one, DURATION .. "_bucket" .. labels .. ',le="0.1"} 2'))
        assert.is_true(shows(one, DURATION .. "_bucket" .. labels .. ',le="0.25"} 3'))
        assert.is_true(shows(one, DURATION .. "_bucket" .. labels .. ',le="600"} 3'))
        assert.is_true(shows(one, DURATION .. "_bucket" .. labels .. ',le="+Inf"} 4'))
        assert.is_true(shows(one, DURATION .. "_sum" .. labels .. "} 700.26"))
        assert.is_true(shows(one, DURATION .. "_count" .. labels .. "} 4"))
        assert.are.equal(families.lines_of(family(DURATION)), #lines(one) - 2)
    end)

    it("beyond what has room are dropped and counted, and those that are there go on", function()
        local one, other = worker(2), worker(2)
        for _, client in ipairs({ "a", "b", "c" }) do
            one:add(REQUESTS, 'client="' .. client .. '"', 1)
            one:flush()
        end
        other:add(REQUESTS, 'client="a"', 1)
        other:add(REQUESTS, 'client="d"', 1)
        other:flush()
        local size, dropped = one:size()
        assert.are.equal(2, size)
        assert.are.equal(2, dropped)
        assert.is_true(shows(one, REQUESTS .. '{client="a"} 2'))
        assert.is_true(shows(one, REQUESTS .. '{client="b"} 1'))
        assert.are.equal(4, #lines(one))
    end)

    it("of a histogram have room for all of its lines or for none", function()
        local one = worker(families.lines_of(family(DURATION)))
        one:add(REQUESTS, 'client="a"', 1)
        one:flush()
        one:observe(DURATION, 'model="tiny:latest"', 1)
        one:flush()
        assert.are.equal(3, #lines(one))
        assert.are.same({ 1, 1 }, { one:size() })
    end)

    it("that one worker holds between two flushes are limited too", function()
        local one = worker(2)
        for number = 1, 5 do
            one:add(REQUESTS, 'client="' .. number .. '"', 1)
        end
        one:flush()
        assert.are.same({ 2, 3 }, { one:size() })
    end)

    it("for which the memory of all is too small are dropped and counted", function()
        dict = shared_dict.new(11)
        local one = worker()
        one:add(REQUESTS, 'client="a"', 1)
        one:add(REQUESTS, 'client="b"', 1)
        one:add(REQUESTS, 'client="c"', 1)
        one:flush()
        local size, dropped = one:size()
        assert.are.equal(1, size)
        assert.are.equal(2, dropped)
    end)

    it("let others have their turn while they are added", function()
        local one, turns = worker(), 0
        one:add(REQUESTS, 'client="a"', 1)
        one:add(REQUESTS, 'client="b"', 1)
        one:flush(function()
            turns = turns + 1
            one:add(REQUESTS, 'client="a"', 10)
        end)
        assert.are.equal(2, turns)
        one:flush()
        assert.is_true(shows(one, REQUESTS .. '{client="a"} 21'))
    end)
end)
