-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local shared_dict = dofile("tests/lua/shared_dict.lua")
local sums = require "gatehouse.usage.sums"

local NOON = 1795996800 + 43200 -- of 2026-11-30
local DAY = 86400

describe("what a client used", function()
    local dict, files, reads, now, used

    local function at(time)
        now, dict.now = time, time
    end

    -- Each file is a list of pieces; a place in it is the number of those that were read.
    local function read(path, from)
        reads[#reads + 1] = path:match("[^/]+$") .. " " .. from
        local pieces = files[path] or {}
        if pieces == "broken" then
            return nil
        end
        local piece = pieces[from + 1]
        return piece or {}, piece and from + 1 or from, from + 1 >= #pieces
    end

    before_each(function()
        dict, files, reads = shared_dict.new(), {}, {}
        used = sums.new({ dict = dict, folder = "/state", days = 3, now = function() return now end, read = read,
            give_way = function() end })
        at(NOON)
    end)

    local function look()
        assert.is_true(used:begin())
        used:catch_up()
    end

    it("is the sum of all pieces of the days, newest first, and of nobody else", function()
        files["/state/2026-11-30.jsonl"] = {
            { alice = { b = { 1, 2, 3 }, a = { 1, 1, 1 } }, bob = { b = { 9, 9, 9 } } },
            { alice = { b = { 1, 20, 30 } } } }
        files["/state/2026-11-28.jsonl"] = { { alice = { b = { 4, 5, 6 } } } }
        files["/state/2026-11-27.jsonl"] = { { alice = { b = { 7, 7, 7 } } } }
        look()
        local list, since, is_complete = used:of("alice")
        assert.are.same({
            { day = "2026-11-30", model = "a", requests = 1, prompt_tokens = 1, completion_tokens = 1 },
            { day = "2026-11-30", model = "b", requests = 2, prompt_tokens = 22, completion_tokens = 33 },
            { day = "2026-11-28", model = "b", requests = 4, prompt_tokens = 5, completion_tokens = 6 },
        }, list)
        assert.are.same({ "2026-11-28", true }, { since, is_complete })
        assert.are.same({}, (used:of("carol")))
    end)

    it("is not complete before all was read, nor on a new day before that was", function()
        assert.is_false(select(3, used:of("alice")))
        look()
        assert.is_true(select(3, used:of("alice")))
        at(NOON + DAY)
        assert.is_false(select(3, used:of("alice")))
        look()
        assert.is_true(select(3, used:of("alice")))
    end)

    it("is read on from where it was left, and days that are over only once", function()
        files["/state/2026-11-30.jsonl"] = { { alice = { a = { 1, 1, 1 } } } }
        files["/state/2026-11-28.jsonl"] = { { alice = { a = { 1, 1, 1 } } } }
        look()
        files["/state/2026-11-30.jsonl"][2] = { alice = { a = { 1, 1, 1 } } }
        reads = {}
        look()
        assert.are.same({ "2026-11-30.jsonl 1", "2026-11-29.jsonl 0" }, reads)
        assert.are.equal(2, used:of("alice")[1].requests)
    end)

    it("is read by one at a time, and again after that one died", function()
        assert.is_true(used:begin())
        assert.is_true(used:is_reading())
        assert.is_falsy(used:begin())
        at(NOON + 61)
        assert.is_true(used:begin())
        used:stop()
        assert.is_false(used:is_reading())
    end)

    it("is not complete where a day cannot be read, and others can be read later", function()
        files["/state/2026-11-29.jsonl"] = "broken"
        files["/state/2026-11-28.jsonl"] = { { alice = { a = { 1, 1, 1 } } } }
        look()
        assert.is_false(select(3, used:of("alice")))
        assert.is_false(used:is_reading())
        files["/state/2026-11-29.jsonl"] = nil
        look()
        assert.is_true(select(3, used:of("alice")))
        assert.are.equal(1, #(used:of("alice")))
    end)

    it("is not complete where it has no room", function()
        files["/state/2026-11-30.jsonl"] = { { alice = { a = { 1, 1, 1 } } } }
        dict.safe_set = function(_, key) return not key:find("alice", 1, true), "no memory" end
        look()
        assert.is_false(select(3, used:of("alice")))
    end)
end)
