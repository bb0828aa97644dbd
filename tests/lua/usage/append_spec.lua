-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local append = require("gatehouse.usage.append").append

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

local function run(command)
    local pipe = assert(io.popen(command))
    local text = pipe:read("*a")
    pipe:close()
    return text
end

describe("a text", function()
    local folder, path

    before_each(function()
        folder = run("mktemp -d"):match("[^\n]+")
        path = folder .. "/file"
    end)

    after_each(function()
        run("rm -r " .. folder)
    end)

    it("is appended to a file, which is made for its owner and group if it is not there", function()
        assert.are.equal(4, append(path, "a\0b\n"))
        assert.are.equal(0, append(path, ""))
        assert.are.equal(2, append(path, "c\n"))
        assert.are.equal("a\0b\nc\n", read(path))
        assert.are.equal("640\n", run("stat -c %a " .. path))
        local long = ("x"):rep(5000000) .. "\n"
        assert.are.equal(5000001, append(path, long))
        assert.are.equal(5000007, #read(path))
    end)

    it("begins on a line of its own behind one that was cut, and its bytes alone are counted", function()
        append(path, "cut")
        assert.are.equal(2, append(path, "a\n"))
        append(path, "cut")
        assert.are.equal(3, append(path, "\nb\n"))
        assert.are.equal("cut\na\ncut\nb\n", read(path))
    end)

    it("is not appended behind a link, to a folder, or where nobody may write", function()
        append(path, "a\n")
        run("ln -s file " .. folder .. "/link; ln -s none " .. folder .. "/dangling")
        for name, expected in pairs({ link = "symbolic", dangling = "symbolic", [""] = "directory",
            ["none/x"] = "No such file" }) do
            local written, err = append(folder .. "/" .. name, "x")
            assert.is_nil(written)
            assert.is_truthy(err:find(expected), err)
        end
        assert.are.equal("a\n", read(path))
        assert.are.equal("file\nlink\n", run("ls " .. folder .. " | grep -v dangling"))
    end)

    it("is told not to be written where there is no room", function()
        local written, err = append("/dev/full", "x\n")
        assert.is_nil(written)
        assert.is_truthy(err:find("No space left", 1, true), err)
    end)

    it("leaves no file open", function()
        -- By then the one that counts has no other end of the pipe to it any more.
        local count_files = "sleep 0.1; ls /proc/$PPID/fd | wc -l"
        append(path, "a\n")
        -- Twice: files that others left open are closed by the one and freed by the other.
        collectgarbage()
        collectgarbage()
        local count = run(count_files)
        for _ = 1, 100 do
            append(path, "a\n")
            append("/dev/full", "a\n")
        end
        assert.are.equal(count, run(count_files))
    end)
end)
