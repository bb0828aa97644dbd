-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local ledger = require "gatehouse.usage.ledger"

-- 2026-11-30T06:12:18.123Z.
local MORNING = 1796019138.123
local TODAY = "/usage/2026-11-30.jsonl"

describe("the ledger", function()
    local now, files, appends, messages, one, room, err, append

    -- With so much room, nil for any.
    local function append_to_disk(path, text)
        appends[#appends + 1] = { path = path, text = text }
        if err then
            return nil, err
        end
        local written = text:sub(1, room)
        room = room and room - #written
        files[path] = (files[path] or "") .. written
        return #written
    end

    local function entry(id, with)
        local made = { request_id = id, client = "alice", key = "laptop", model = "tiny:latest", route = "/api/chat",
            status = 200, prompt_tokens = 9, completion_tokens = 22, source = "server", end_ = "complete",
            seconds = 1.234, first_chunk_seconds = 0.051, server = "172.18.0.2:11434" }
        for key, value in pairs(with or {}) do
            made[key] = value
        end
        return made
    end

    local function add(...)
        for _, id in ipairs({ ... }) do
            one:add(entry(id))
        end
    end

    -- The requests of the good lines of all files, in order, and how many lines are damaged.
    local function read(path)
        local ids, damaged = {}, 0
        for line in (files[path or TODAY] or ""):gmatch("[^\n]+") do
            local value = cjson.decode(line)
            if value then
                ids[#ids + 1] = value.request_id
            else
                damaged = damaged + 1
            end
        end
        return ids, damaged
    end

    before_each(function()
        now, files, appends, messages, room, err = MORNING, {}, {}, {}, nil, nil
        append = append_to_disk
        one = ledger.new({
            folder = "/usage",
            now = function() return now end,
            append = function(...) return append(...) end,
            remove = function(path) files[path] = nil end,
            log = function(message) messages[#messages + 1] = message end,
        })
    end)

    it("has one line of this form for each request", function()
        one:add(entry(("0123456789abcdef"):rep(2)))
        assert.is_true(one:flush())
        assert.are.equal('{"time":"2026-11-30T06:12:18.123Z","request_id":"0123456789abcdef0123456789abcdef",'
            .. '"client":"alice","key":"laptop","model":"tiny:latest","route":"/api/chat","status":200,'
            .. '"prompt_tokens":9,"completion_tokens":22,"source":"server","end":"complete","seconds":1.234,'
            .. '"first_chunk_seconds":0.051,"server":"172.18.0.2:11434"}\n', files[TODAY])
    end)

    it("tells for how long its oldest line has waited, also while it cannot be written", function()
        assert.are.equal(0, one:lag())
        err = "No space left on device"
        add("a")
        now = now + 2
        add("b")
        assert.are.equal(2, one:lag())
        assert.is_false(one:flush())
        now = now + 3
        assert.are.equal(5, one:lag())
        err = nil
        assert.is_true(one:flush())
        assert.are.equal(0, one:lag())
        add("c")
        now = now + 1
        assert.are.equal(1, one:lag())
    end)

    it("has a line for any value that a request can have, which every reader of JSON can read", function()
        local made = entry("x", { client = "(plain text)", key = "laptop~old", model = 'a"\\/\n\0\127', server = nil,
            completion_tokens = 2 ^ 31, seconds = -0.5 })
        made.first_chunk_seconds, made.server = nil, nil
        one:add(made)
        one:add(entry("y", { key = "", model = ("m"):rep(100000) }))
        one:add(entry("z", { model = "t\195\188\255ny", key = "old" }))
        one:flush()
        local lines = {}
        for line in files[TODAY]:gmatch("[^\n]+") do
            assert(#line < 1000)
            assert.is_nil(line:find("[\128-\255%c]"))
            lines[#lines + 1] = assert(cjson.decode(line))
        end
        assert.are.equal('a"\\/\n\0\127', lines[1].model)
        assert.are.equal("laptop", lines[1].key)
        assert.are.equal("(plain text)", lines[1].client)
        assert.are.equal("", lines[1].server)
        assert.are.equal(cjson.null, lines[1].first_chunk_seconds)
        assert.are.equal(2 ^ 31, lines[1].completion_tokens)
        assert.are.equal(0, lines[1].seconds)
        assert.are.equal("", lines[2].key)
        assert.are.equal("t?ny", lines[3].model)
        assert.are.equal("old", lines[3].key)
    end)

    it("writes all lines of a day with one append, in the file of the day on which they ended", function()
        add("a", "b")
        now = 1796083199.9994
        add("c")
        now = 1796083199.9996
        add("d")
        assert.are.equal(4, one:pending())
        assert.is_true(one:flush())
        assert.are.equal(2, #appends)
        assert.are.same({ "a", "b", "c" }, read())
        assert.is_truthy(files[TODAY]:find("2026-11-30T23:59:59.999Z", 1, true))
        assert.are.same({ "d" }, read("/usage/2026-12-01.jsonl"))
        assert.is_truthy(files["/usage/2026-12-01.jsonl"]:find("2026-12-01T00:00:00.000Z", 1, true))
        assert.are.equal(0, one:pending())
        one:flush()
        assert.are.equal(2, #appends)
    end)

    -- Adds 1,000 lines, each followed by a flush that waits for `append` while others come; the last one ends it.
    local function add_and_flush(fails, at_once)
        local flushing, calls = {}, 0
        append = function(path, text)
            calls = calls + 1
            local call = calls
            coroutine.yield()
            if fails(call) then
                return nil, "Input/output error"
            end
            files[path] = (files[path] or "") .. text
            return #text
        end
        local function resume(thread)
            if coroutine.status(thread) == "suspended" then
                assert(coroutine.resume(thread))
            end
        end
        for i = 1, 1000 do
            add(tostring(i))
            now = now + 0.7
            flushing[i] = coroutine.create(function() one:flush(at_once(i)) end)
            for k = i, math.max(1, i - 3), -1 do
                if (i + k) % 3 > 0 then
                    resume(flushing[k])
                end
            end
        end
        flushing[1001] = coroutine.create(function() one:flush(true) end)
        fails = function() return false end
        for _, thread in ipairs(flushing) do
            while coroutine.status(thread) == "suspended" do
                resume(thread)
            end
        end
        assert.are.equal(0, one:pending())
        assert.are.equal(0, one.in_flight)
        assert.are.equal(0, one.flushes)
        local ids = read()
        for i, id in ipairs(ids) do
            ids[i] = tonumber(id)
        end
        return ids, calls
    end

    local expected = {}
    for i = 1, 1000 do
        expected[i] = i
    end

    it("loses and doubles no line while others add and flush as it writes", function()
        local ids, calls = add_and_flush(function() return false end, function() return false end)
        assert.are.same(expected, ids)
        assert(calls > 100)
    end)

    it("loses and doubles no line where appends fail, and some flushes wait for no other", function()
        local ids = add_and_flush(function(call) return call % 3 == 0 end, function(i) return i % 5 == 0 end)
        table.sort(ids)
        assert.are.same(expected, ids)
    end)

    it("keeps what it cannot write while another line comes, in order", function()
        append = function()
            add("c")
            return nil, "Input/output error"
        end
        add("a", "b")
        assert.is_false(one:flush())
        assert.are.equal(3, one:pending())
        append = function(path, text)
            files[path] = text
            return #text
        end
        assert.is_true(one:flush(true))
        assert.are.same({ "a", "b", "c" }, read())
    end)

    it("glues no line to one that was cut by a full disk, at whichever byte, and loses none", function()
        add("a", "b", "c")
        one:flush()
        local size = #files[TODAY]
        for space = 0, size do
            files, room = {}, space
            add("a", "b", "c")
            one:flush()
            now = now + 2
            add("d")
            one:flush()
            assert.are.equal(space, #files[TODAY])
            room = nil
            assert.is_true(one:flush(true))
            local ids, damaged = read()
            assert.are.same({ "a", "b", "c", "d" }, ids)
            assert(damaged <= 1)
            assert.is_truthy(files[TODAY]:find("}\n$"))
        end
    end)

    it("writes a day although another one cannot be written", function()
        local fails = true
        append = function(path, text)
            if fails and path == TODAY then
                return nil, "Permission denied"
            end
            files[path] = (files[path] or "") .. text
            return #text
        end
        add("a")
        now = now + 86400
        add("b")
        now = now - 86400
        add("c")
        one:flush()
        assert.are.equal(2, one:pending())
        assert.are.same({ "b" }, read("/usage/2026-12-01.jsonl"))
        fails = false
        one:flush(true)
        assert.are.same({ "a", "c" }, read())
    end)

    it("tries again once a second, and keeps the newest 10,000 lines", function()
        err = "No space left on device"
        for i = 1, 10500 do
            add(tostring(i))
        end
        assert.are.equal(10000, one:pending())
        assert.are.equal(500, one:lost())
        one:flush()
        one:flush()
        assert.are.equal(1, #appends)
        for i = 10501, 10600 do
            add(tostring(i))
        end
        now = now + 1
        one:flush()
        assert.are.equal(2, #appends)
        assert.are.equal(600, one:lost())
        err = nil
        now = now + 1
        one:flush()
        local ids = read()
        assert.are.equal(10000, #ids)
        assert.are.equal("601", ids[1])
        assert.are.equal("10600", ids[10000])
        assert.are.equal(0, one:pending())
    end)

    it("keeps no more lines although an append takes long", function()
        append = function(path, text)
            for i = 1, 12000 do
                add(tostring(i))
            end
            files[path] = text
            return #text
        end
        add("a")
        one:flush()
        assert.are.equal(10000, one:pending())
        assert.are.equal(2000, one:lost())
    end)

    it("says once a minute that it fails and what is lost, and once that it works again", function()
        err = "No space left on device"
        add("a")
        for _ = 1, 150 do
            one:flush()
            now = now + 1
        end
        assert.are.same({
            "failed to write to /usage/2026-11-30.jsonl: No space left on device; 1 lines wait, and 0 are lost",
            "failed to write to /usage/2026-11-30.jsonl: No space left on device; 1 lines wait, and 0 are lost",
            "failed to write to /usage/2026-11-30.jsonl: No space left on device; 1 lines wait, and 0 are lost",
        }, messages)
        err, messages = nil, {}
        for _ = 1, 3 do
            one:flush()
            add("b")
        end
        assert.are.same({ "the ledger is written again; 0 lines were lost" }, messages)
    end)

    it("is not told of more often where each other append fails", function()
        for i = 1, 100 do
            err = i % 2 == 0 and "Input/output error" or nil
            add("a")
            one:flush(true)
            now = now + 0.1
        end
        assert.are.equal(2, #messages)
    end)

    it("survives an append that raises an error", function()
        append = function() error("no thread", 0) end
        add("a")
        assert.is_false(one:flush())
        assert.is_truthy(messages[1]:find("no thread", 1, true))
        append = function(path, text)
            files[path] = text
            return #text
        end
        assert.is_true(one:flush(true))
    end)

    it("loses nothing and goes on when the clock jumps", function()
        err = "Input/output error"
        add("a")
        one:flush()
        now = now - 86400 * 3000
        err = nil
        add("b")
        assert.is_true(one:flush())
        now = MORNING
        add("c")
        assert.is_true(one:flush())
        assert.are.same({ "a", "c" }, read())
        assert.are.same({ "b" }, read("/usage/2018-09-13.jsonl"))
    end)

    it("removes the files of days before those that are kept, by their names", function()
        for _, day in ipairs({ "2026-11-30", "2026-11-29", "2026-11-28", "2026-11-27", "2026-02-28", "2024-03-06" }) do
            files["/usage/" .. day .. ".jsonl"] = day
        end
        files["/usage/2024-02-01.jsonl"], files["/usage/notes"] = "older", "mine"
        one:expire(2)
        local left = {}
        for path in pairs(files) do
            left[#left + 1] = path
        end
        table.sort(left)
        assert.are.same({ "/usage/2024-02-01.jsonl", "/usage/2026-11-28.jsonl", "/usage/2026-11-29.jsonl", TODAY,
            "/usage/notes" }, left)
    end)

    it("says which files it cannot remove, but not which are not there", function()
        one.remove = function(path)
            if path:find("2026%-10%-2[12]") then
                return nil, path .. ": Permission denied", 13
            end
            return os.remove("/nonexistent" .. path)
        end
        one:expire(30)
        assert.are.equal(2, #messages)
        assert.is_truthy(messages[1]:find("2026-10-22.jsonl: Permission denied", 1, true))
    end)

    it("looks at 1,000 days the first time and at 60 then, and at none by a clock that is not set", function()
        local removed = {}
        one.remove = function(path) removed[#removed + 1] = path end
        now = 1767225599
        one:expire(30)
        assert.are.same({}, removed)
        now = MORNING
        one:expire(30)
        assert.are.equal(1000, #removed)
        assert.are.equal("/usage/2026-10-30.jsonl", removed[1])
        one:expire(30)
        assert.are.equal(1060, #removed)
        assert.are.equal("/usage/2026-09-01.jsonl", removed[1060])
    end)
end)
