-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local shared_dict = dofile("tests/lua/shared_dict.lua")
local sums = require "gatehouse.usage.sums"

local NOON = 1795996800 + 43200 -- of 2026-11-30
local DAY = 86400

describe("what a client used", function()
    local dict, flags, files, reads, now, used, told, reader

    local function at(time)
        now, dict.now, flags.now = time, time, time
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

    -- That of another worker, of this process id.
    function reader(pid)
        return sums.new({ dict = dict, flags = flags, folder = "/state", days = 3, now = function() return now end,
            pid = function() return pid end, read = read, give_way = function() end,
            log = function(message) told[#told + 1] = message end })
    end

    before_each(function()
        dict, flags, files, reads, told = shared_dict.new(), shared_dict.new(), {}, {}, {}
        used = reader(1)
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

    it("is read by one at a time", function()
        assert.is_true(used:begin())
        assert.is_true(used:is_reading())
        assert.is_false(reader(2):begin())
        used:catch_up()
        assert.is_false(used:is_reading())
        assert.is_true(reader(2):begin())
    end)

    it("is read from the begin after a reader died, whatever it had counted, or ended", function()
        files["/state/2026-11-30.jsonl"] = { { alice = { a = { 1, 1, 1 } } }, { alice = { a = { 1, 1, 1 } } } }
        for _, ends in ipairs({ function() at(now + 11) end, function() at(now - 11) end,
            function(one) one:stop() end }) do
            local one, other = reader(2), reader(3)
            assert.is_true(one:begin())
            -- The first piece, without its sums.
            dict:set("from:2026-11-30", 1)
            assert.is_false(other:begin())
            ends(one)
            assert.is_true(other:begin())
            other:catch_up()
            assert.are.equal(2, other:of("alice")[1].requests)
            assert.is_true(select(3, other:of("alice")))
        end
    end)

    it("is counted once by two that read, where one was taken for dead", function()
        files["/state/2026-11-30.jsonl"] = { { alice = { a = { 1, 1, 1 } } }, { alice = { a = { 1, 1, 1 } } } }
        local other = reader(2)
        local has_slept = false
        local slow = reader(3)
        slow.read = function(...)
            if not has_slept then
                has_slept = true
                at(NOON + 100)
                assert.is_true(other:begin())
                other:catch_up()
            end
            return read(...)
        end
        assert.is_true(slow:begin())
        slow:catch_up()
        assert.are.equal(2, used:of("alice")[1].requests)
    end)

    it("has no more rows than a client may have models a day, and all tokens", function()
        local models = {}
        for i = 1, 1000 do
            models["invented-" .. i] = { 1, 2, 3 }
        end
        files["/state/2026-11-30.jsonl"] = { { alice = models }, { alice = models } }
        look()
        local list = used:of("alice")
        assert.are.equal(51, #list)
        local requests = 0
        for _, row in ipairs(list) do
            requests = requests + row.requests
        end
        assert.are.equal(2000, requests)
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

    it("is not complete where it has no room, which is told once", function()
        files["/state/2026-11-30.jsonl"] = { { alice = { a = { 1, 1, 1 } } } }
        dict.safe_set = function(_, key) return not key:find("alice", 1, true), "no memory" end
        files["/state/2026-11-29.jsonl"] = files["/state/2026-11-30.jsonl"]
        look()
        assert.is_false(select(3, used:of("alice")))
        assert.are.equal(1, #told)
    end)
end)
