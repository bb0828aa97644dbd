-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local watched_folder = require "gatehouse.watched_folder"

describe("a watched folder", function()
    local path, folder, err

    local function run(command)
        assert.are.equal(0, os.execute((command:gsub("@", path))))
    end

    before_each(function()
        path = os.tmpname()
        os.remove(path)
        run("mkdir @ && echo one > @/file")
        folder, err = watched_folder.new(path)
    end)

    after_each(function()
        run("rm -rf @")
    end)

    it("is quiet as long as nothing changes", function()
        assert.is_nil(err)
        run("cat @/file > /dev/null && ls @ > /dev/null")
        for _ = 1, 1000 do
            assert.is_false(folder:stirred())
        end
    end)

    for what, command in pairs({
        ["a file is changed in place"] = "echo two > @/file",
        ["a file is appended to"] = "echo two >> @/file",
        ["a file is replaced by rename"] = "echo two > @.new && mv @.new @/file",
        ["a file is moved out of it"] = "mv @/file @.old && rm @.old",
        ["a file is made"] = "touch @/other",
        ["a file is removed"] = "rm @/file",
        ["a file becomes unreadable"] = "chmod 0 @/file",
    }) do
        it("is stirred once when " .. what, function()
            run(command)
            assert.is_true(folder:stirred())
            assert.is_false(folder:stirred())
        end)
    end

    it("is stirred once by more changes than fit into one answer", function()
        run("for i in $(seq 2000); do : > @/file-$i; done")
        assert.is_true(folder:stirred())
        assert.is_false(folder:stirred())
    end)

    it("is stirred at all times once it is gone", function()
        run("rm -r @")
        for _ = 1, 3 do
            assert.is_true(folder:stirred())
        end
    end)

    it("is stirred at all times if it cannot be watched, and says why", function()
        folder, err = watched_folder.new(path .. "/nothing")
        assert.is_truthy(err:find("nothing: failed to watch it", 1, true))
        for _ = 1, 3 do
            assert.is_true(folder:stirred())
        end
    end)
end)
