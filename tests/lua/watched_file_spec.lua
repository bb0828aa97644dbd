-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local ffi = require "ffi"
local watched_file = require "gatehouse.watched_file"

ffi.cdef "int usleep(unsigned int microseconds);"

-- Longer than the time in which two changes could look like one.
local function wait()
    ffi.C.usleep(70000)
end

describe("a watched file", function()
    local path, reads, messages, file

    local function write(text)
        local handle = assert(io.open(path, "w"))
        handle:write(text)
        handle:close()
    end

    local function replace(text)
        local wanted = path
        path = wanted .. ".new"
        write(text)
        path = wanted
        assert(os.rename(wanted .. ".new", wanted))
    end

    local function parse(text)
        reads = reads + 1
        if text:find("damaged", 1, true) then
            return nil, "damaged indeed"
        end
        return { text = text }
    end

    local function look()
        if file:changed() then
            file:read()
        end
    end

    local function text()
        look()
        return file.good and file.good.text
    end

    before_each(function()
        path = os.tmpname()
        reads, messages = 0, {}
        file = watched_file.new(path, parse, function(message) messages[#messages + 1] = message end)
    end)

    after_each(function()
        os.remove(path)
    end)

    it("is read once as long as it does not change", function()
        write("one")
        wait()
        for _ = 1, 1000 do
            assert.are.equal("one", text())
        end
        assert.are.equal(1, reads)
    end)

    it("is not parsed again when it says the same, however it was written", function()
        write("one")
        assert.are.equal("one", text())
        replace("one")
        assert.are.equal("one", text())
        write("damaged")
        assert.are.equal("one", text())
        write("one")
        assert.are.equal("one", text())
        assert.are.equal(2, reads)
        write("two")
        assert.are.equal("two", text())
    end)

    it("counts at once when it is replaced by rename", function()
        write("one")
        wait()
        assert.are.equal("one", text())
        replace("two")
        assert.are.equal("two", text())
    end)

    it("counts at once when it is changed in place to the same length, however often", function()
        for i = 100, 999 do
            write(tostring(i))
            assert.are.equal(tostring(i), text())
        end
    end)

    it("keeps what it said when it is damaged, and says so once", function()
        write("good")
        assert.are.equal("good", text())
        wait()
        write("damaged")
        for _ = 1, 100 do
            assert.are.equal("good", text())
        end
        assert.are.equal(1, #messages)
        assert.is_truthy(messages[1]:find(path, 1, true))
        assert.is_truthy(messages[1]:find("damaged indeed", 1, true))
        assert.is_truthy(messages[1]:find("still counts", 1, true))
    end)

    it("complains again when it is damaged anew", function()
        write("damaged")
        look()
        wait()
        write("damaged twice")
        look()
        assert.are.equal(2, #messages)
    end)

    it("says nothing when it is damaged from the start", function()
        write("damaged")
        assert.is_nil(text())
        assert.is_truthy(messages[1]:find("nobody", 1, true))
    end)

    it("keeps what it said when it is removed, says so once, and counts again when it is back", function()
        write("good")
        assert.are.equal("good", text())
        os.remove(path)
        for _ = 1, 100 do
            assert.are.equal("good", text())
        end
        assert.are.equal(1, #messages)
        write("back")
        assert.are.equal("back", text())
    end)

    it("counts again when it is repaired", function()
        write("damaged")
        assert.is_nil(text())
        write("good")
        assert.are.equal("good", text())
    end)

    it("counts only while it is there and sound, if it is optional", function()
        os.remove(path)
        file = watched_file.new(path, parse, function(message) messages[#messages + 1] = message end, true)
        assert.is_nil(text())
        write("one")
        assert.are.equal("one", text())
        os.remove(path)
        assert.is_nil(text())
        write("one")
        assert.are.equal("one", text())
        assert.are.same({}, messages)
        wait()
        write("damaged")
        assert.is_nil(text())
        assert.is_nil(text())
        assert.are.equal(1, #messages)
        assert.is_truthy(messages[1]:find("it does not count", 1, true))
        write("one")
        assert.are.equal("one", text())
        os.remove(path)
        os.execute("ln -s " .. path .. " " .. path)
        assert.is_nil(text())
        assert.are.equal(2, #messages)
    end)

    it("is damaged when it is a folder", function()
        os.remove(path)
        os.execute("mkdir " .. path)
        assert.is_nil(text())
        os.execute("rmdir " .. path)
    end)
end)
