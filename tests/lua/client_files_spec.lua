-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local client_files = require "gatehouse.client_files"

-- More than is read in one go.
local LARGE = string.rep("x", 300000)

describe("the files of clients", function()
    local folder, files, messages, changes, timers, has_timer

    local function replace(name, text)
        local path = folder .. "/" .. name
        local handle = assert(io.open(path .. ".new", "w"))
        handle:write(text)
        handle:close()
        assert(os.rename(path .. ".new", path))
    end

    -- Gives way once, where it may, as the reader of keys does.
    local function parse(text, pause)
        if pause then
            pause()
        end
        if text:find("crash", 1, true) then
            error("crashed")
        end
        if text:find("damaged", 1, true) then
            return nil, "damaged indeed"
        end
        return { text = text:sub(1, 3) }
    end

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        os.execute("mkdir " .. folder)
        messages, changes, timers, has_timer = {}, 0, {}, true
        files = client_files.new({
            folder = folder,
            changed = function() changes = changes + 1 end,
            log = function(message) messages[#messages + 1] = message end,
            sleep = coroutine.yield,
            timer = function(callback, argument)
                timers[#timers + 1] = coroutine.create(function() callback(argument) end)
                return has_timer
            end,
        })
    end)

    after_each(function()
        os.execute("rm -r " .. folder)
    end)

    it("are read when they are first watched, and each change counts for the next request", function()
        replace("keys", "one")
        local keys, users = files:watch("keys", parse), files:watch("users", parse)
        assert.are.equal("one", keys().text)
        assert.is_nil(users())
        files:begin()
        replace("keys", "two")
        replace("users", "abc")
        files:refresh()
        assert.are.equal("two", keys().text)
        assert.are.equal("abc", users().text)
    end)

    it("that are optional count while they are there, and give nobody a fresh start", function()
        local hold = files:watch_optional("hold", parse)
        files:begin()
        assert.is_nil(hold())
        replace("hold", "one")
        files:refresh()
        assert.are.equal("one", hold().text)
        os.remove(folder .. "/hold")
        files:refresh()
        assert.is_nil(hold())
        assert.are.equal(0, changes)
        assert.are.same({}, messages)
    end)

    it("tell of each change but of damage, which is logged and leaves what counted", function()
        replace("keys", "one")
        local keys = files:watch("keys", parse)
        assert.are.equal(1, changes)
        files:begin()
        changes = 0
        replace("keys", "damaged")
        files:refresh()
        assert.are.equal("one", keys().text)
        assert.are.equal(0, changes)
        assert.is_truthy(messages[1]:find("damaged indeed", 1, true))
        replace("keys", "two")
        files:refresh()
        assert.are.equal(1, changes)
    end)

    it("tell of no change where they say the same as before", function()
        replace("keys", "one")
        files:watch("keys", parse)
        files:begin()
        changes = 0
        replace("keys", "one")
        files:refresh()
        replace("keys", "damaged")
        files:refresh()
        replace("keys", "one")
        files:refresh()
        assert.are.equal(0, changes)
    end)

    it("are found by a look too, which needs no request", function()
        local keys = files:watch("keys", parse)
        files:begin()
        replace("keys", "one")
        files:look()
        assert.are.equal("one", keys().text)
    end)

    it("are looked at by each request where their folder cannot be watched", function()
        os.execute("rmdir " .. folder)
        local keys = files:watch("keys", parse)
        files:begin()
        assert.is_truthy(messages[#messages]:find("each request looks at its files", 1, true))
        os.execute("mkdir " .. folder)
        replace("keys", "one")
        files:refresh()
        assert.are.equal("one", keys().text)
    end)

    describe("that are large", function()
        local keys, request

        before_each(function()
            keys = files:watch("keys", parse)
            files:begin()
            replace("keys", "one" .. LARGE)
            request = coroutine.create(function() files:refresh() end)
        end)

        local function resume(thread)
            assert(coroutine.resume(thread))
            return coroutine.status(thread)
        end

        it("are read outside of the request, which waits for it", function()
            assert.are.equal("suspended", resume(request))
            assert.are.equal(1, #timers)
            assert.are.equal("suspended", resume(timers[1]))
            assert.is_nil(keys())
            assert.are.equal("suspended", resume(request))
            -- A look by the way does not begin it anew.
            files:look()
            assert.are.equal(1, #timers)
            assert.are.equal("dead", resume(timers[1]))
            assert.are.equal("dead", resume(request))
            assert.are.equal("one", keys().text)
        end)

        it("keep the next request waiting too, until they are read", function()
            resume(request)
            local other = coroutine.create(function() files:refresh() end)
            assert.are.equal("suspended", resume(other))
            resume(timers[1])
            resume(timers[1])
            assert.are.equal("dead", resume(other))
        end)

        it("are read at once where there is no timer to be had", function()
            has_timer = false
            assert.are.equal("dead", resume(request))
            assert.are.equal("one", keys().text)
        end)

        it("keep nobody waiting for ever, though their reader fails", function()
            replace("keys", "crash" .. LARGE)
            resume(request)
            resume(timers[1])
            assert.are.equal("dead", resume(timers[1]))
            assert.are.equal("dead", resume(request))
            assert.is_truthy(messages[#messages]:find("crashed", 1, true))
        end)
    end)
end)
