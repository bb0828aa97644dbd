-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local day_sums = require "gatehouse.usage.day_sums"

local LINE = '{"time":"2026-11-30T06:12:18.123Z","request_id":"' .. ("a"):rep(32) .. '","client":"%s","key":"k",'
    .. '"model":"%s","route":"/api/chat","status":200,"prompt_tokens":%d,"completion_tokens":%d,"source":"server",'
    .. '"end":"complete","seconds":0.500,"first_chunk_seconds":null,"server":""}\n'
local MEBIBYTE = 1048576

describe("the sums of a day", function()
    local path

    before_each(function() path = os.tmpname() end)
    after_each(function() os.remove(path) end)

    local function write(text)
        local file = assert(io.open(path, "wb"))
        file:write(text)
        file:close()
    end

    -- The sums of all pieces, as they are read one after the other.
    local function read_all()
        local pieces, from, is_end = {}, 0, false
        while not is_end do
            pieces[#pieces + 1], from, is_end = day_sums.read(path, from)
        end
        return pieces
    end

    it("are of requests and tokens, by client and model", function()
        write(LINE:format("alice", "tiny:latest", 1, 2) .. LINE:format("bob", "tiny:latest", 10, 20)
            .. LINE:format("alice", "tiny:latest", 3, 4) .. LINE:format("alice", "", 0, 0))
        local sums, behind, is_end = day_sums.read(path, 0)
        assert.are.same({
            alice = { ["tiny:latest"] = { 2, 4, 6 }, [""] = { 1, 0, 0 } },
            bob = { ["tiny:latest"] = { 1, 10, 20 } },
        }, sums)
        assert.is_true(is_end)
        assert.are.same({ {}, behind, true }, { day_sums.read(path, behind) })
    end)

    it("leave a line that is being written for the next time", function()
        local whole, cut = LINE:format("alice", "tiny:latest", 1, 2), LINE:format("alice", "tiny:latest", 3, 4)
        write(whole .. cut:sub(1, -3))
        local sums, behind = day_sums.read(path, 0)
        assert.are.same({ alice = { ["tiny:latest"] = { 1, 1, 2 } } }, sums)
        assert.are.equal(#whole, behind)
        write(whole .. cut)
        assert.are.same({ alice = { ["tiny:latest"] = { 1, 3, 4 } } }, (day_sums.read(path, behind)))
    end)

    it("leave out what is no line of the ledger, and read other spellings of one", function()
        write("{damaged\n\n[]\nnull\n" .. LINE:format("alice", "tiny:latest", 1, 2):gsub('"time"', ' "time"')
            .. LINE:format("alice", "tiny:latest", 1, 2):gsub('"completion_tokens":2', '"completion_tokens":-2'))
        assert.are.same({ { alice = { ["tiny:latest"] = { 1, 1, 2 } } } }, (read_all()))
    end)

    it("are read piece by piece, each line once, past what has no end", function()
        local line = LINE:format("alice", "tiny:latest", 1, 2)
        write(line:rep(10000) .. ("x"):rep(3 * MEBIBYTE) .. "\n" .. line:rep(10))
        local count = 0
        local pieces = read_all()
        for _, sums in ipairs(pieces) do
            count = count + (sums.alice and sums.alice["tiny:latest"][1] or 0)
        end
        assert.is_true(#pieces > 3)
        assert.are.equal(10010, count)
    end)

    it("are none where there is no file, or something else", function()
        assert.are.same({ {}, 7, true }, { day_sums.read(path .. "-missing", 7) })
        assert.are.same({ {}, 0, true }, { day_sums.read("/dev", 0) })
    end)
end)
