-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local admission = require "gatehouse.limits.admission"
local ledger = require "gatehouse.usage.ledger"
local replay = require "gatehouse.limits.replay"
local rights = require "gatehouse.rights"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local MIDNIGHT = 1795996800
local NOON = MIDNIGHT + 43200

describe("after a restart", function()
    local dict, gate, clients, now

    -- A line as the gateway writes it.
    local function line(ended, changes)
        local written
        local book = ledger.new({
            folder = "/",
            now = function() return ended end,
            append = function(_, text)
                written = text
                return #text
            end,
            log = error,
        })
        local entry = { request_id = ("a"):rep(32), client = "alice", key = "laptop", model = "tiny:latest",
            route = "/api/chat", status = 200, prompt_tokens = 3, completion_tokens = 4, source = "server",
            end_ = "complete", seconds = 1.5, first_chunk_seconds = 0.5, server = "172.18.0.2:11434" }
        for name, value in pairs(changes or {}) do
            entry[name] = value
        end
        book:add(entry)
        assert(book:flush())
        return (written:gsub("\n$", ""))
    end

    local function replayed(lines)
        local place = 0
        return replay.replay(function()
            place = place + 1
            return lines[place]
        end, clients, gate, now)
    end

    local function used(client)
        local numbers = {}
        for i, entry in ipairs(gate:state(client or "alice", clients:limits(client or "alice"))) do
            numbers[i] = entry.used
        end
        return numbers
    end

    local function at(time)
        now = time
        dict.now = time
    end

    before_each(function()
        dict = shared_dict.new()
        at(NOON + 30)
        gate = admission.new({ dict = dict, now = function() return dict.now end, pid = function() return 1 end })
        clients = assert(rights.parse('{"alice": {"scopes": [], "models": ["*"], "limits": {"requests_per_minute": 9, '
            .. '"tokens_per_minute": 900, "tokens_per_day": 9000, "models": {"llama*": {"tokens_per_day": 90}}}}, '
            .. '"bob": {"scopes": [], "models": ["*"]}, '
            .. '"*": {"scopes": [], "models": ["*"], "limits": {"tokens_per_day": 90}}}'))
    end)

    it("the tokens of today count again, and those of the last two minutes with their requests", function()
        local read, damaged, err = replayed({
            line(MIDNIGHT - 0.001, { prompt_tokens = 1000 }),
            line(MIDNIGHT),
            line(NOON - 3600.123, { model = "llama3.3:70b" }),
            line(NOON - 60.001),
            line(NOON - 60),
            line(NOON - 0.001, { first_chunk_seconds = false }),
            line(NOON + 29.9, { model = "llama3.3:70b", seconds = 300 }),
        })
        assert.are.equal(7, read)
        assert.are.equal(0, damaged)
        assert.is_nil(err)
        -- Of the minute before half counts; one of its requests had begun before it.
        assert.are.same({ 0, 7 + 7, 6 * 7, 14 }, used())
        at(NOON)
        assert.are.equal(1, used()[1])
    end)

    it("those of yesterday count for the minute only", function()
        at(MIDNIGHT + 6)
        replayed({ line(MIDNIGHT - 10), line(MIDNIGHT - 61), line(MIDNIGHT + 5) })
        assert.are.same({ 1, 7 + 6, 7, 0 }, used())
    end)

    it("they count for whom they belong to, whatever the file of clients says of it", function()
        replayed({ line(MIDNIGHT, { client = "bob" }), line(MIDNIGHT, { client = "carol" }),
            line(MIDNIGHT, { client = "(plain text)" }), line(MIDNIGHT, { client = "(plain text)" }),
            line(MIDNIGHT, { model = "" }) })
        assert.are.same({ 7 }, used("carol"))
        assert.are.same({ 14 }, used("(plain text)"))
        assert.are.equal(7, used()[3])
        for key in pairs(dict.entries) do
            assert.is_nil(key:find("bob", 1, true))
        end
    end)

    it("damaged lines are skipped and told, wherever they are cut", function()
        for _, time in ipairs({ MIDNIGHT + 1, NOON + 1 }) do
            local whole = line(time)
            for length = 0, #whole - 1 do
                dict:flush_all()
                local read, damaged = replayed({ whole:sub(1, length), whole })
                assert.are.equal(2, read)
                assert.are.equal(1, damaged)
                assert.are.equal(7, used()[3])
            end
            for length = 1, #whole - 1 do
                dict:flush_all()
                local _, damaged = replayed({ whole:sub(1, length) .. whole })
                assert.are.equal(1, damaged)
                assert.are.same({ 0, 0, 0, 0 }, used())
            end
        end
    end)

    it("lines that are no entries are skipped and told", function()
        local whole = line(MIDNIGHT + 1)
        local lines = { "", "x", "{}", "[]", "1", '{"time":"2026-11-30T00:00:01.000Z"}' }
        for name, value in pairs({ prompt_tokens = '"3"', completion_tokens = "-4", client = "null", model = "1",
            time = '"2026-13-30T00:00:01.000Z"' }) do
            local changed, count = whole:gsub('"' .. name .. '":"?[^",]*"?', '"' .. name .. '":' .. value)
            assert.are.equal(1, count)
            lines[#lines + 1] = changed
        end
        lines[#lines + 1] = (whole:gsub("T00:00:01", "T25:00:01"))
        local read, damaged = replayed(lines)
        assert.are.equal(12, read)
        assert.are.equal(12, damaged)
        assert.are.same({ 0, 0, 0, 0 }, used())
    end)

    it("lines in another form of JSON count as well", function()
        local spaced = line(MIDNIGHT + 1):gsub('":', '": ')
        local escaped = line(MIDNIGHT + 1):gsub("/", "\\/")
        local _, damaged = replayed({ spaced, escaped })
        assert.are.equal(0, damaged)
        assert.are.equal(14, used()[3])
    end)

    it("what has no room is told", function()
        dict.room = 1
        local _, _, err = replayed({ line(NOON + 1), line(MIDNIGHT) })
        assert.is_truthy(err:find("no memory", 1, true))
    end)

    it("100,000 lines take no longer than a second", function()
        local lines = {}
        for i = 1, 1000 do
            lines[i] = line(MIDNIGHT + i, { client = "client" .. i % 7 })
        end
        local place = 0
        local begun = os.clock()
        local read = replay.replay(function()
            place = place + 1
            return place <= 100000 and lines[place % 1000 + 1] or nil
        end, clients, gate, now)
        assert.are.equal(100000, read)
        assert.is_true(os.clock() - begun < 1)
    end)
end)
