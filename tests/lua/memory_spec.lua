-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local memory = require "gatehouse.memory"

local MEBIBYTE = 1048576

describe("memory for bodies", function()
    local files

    local function room()
        return memory.for_bodies(function(path) return files[path] end, "/tmp")
    end

    local function mount(options)
        files["/proc/mounts"] = files["/proc/mounts"] .. "tmpfs /tmp tmpfs rw,nosuid," .. options .. " 0 0\n"
    end

    before_each(function()
        files = {
            ["/proc/meminfo"] = "MemTotal:        4194304 kB\nMemFree: 1 kB\n",
            ["/proc/mounts"] = "overlay / overlay ro 0 0\ntmpfs /dev tmpfs rw,size=65536k,mode=755 0 0\n",
        }
    end)

    it("is what the file system has in which they wait", function()
        mount("relatime,size=262144k")
        assert.are.equal(256 * MEBIBYTE, room())
        mount("size=131072k,mode=1777")
        assert.are.equal(128 * MEBIBYTE, room())
    end)

    it("is half of the machine's where that has no size of its own", function()
        mount("relatime,inode64")
        assert.are.equal(2048 * MEBIBYTE, room())
    end)

    it("is no more than half of what the container may have", function()
        mount("size=1048576k")
        for _, path in ipairs({ "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" }) do
            files[path] = "536870912\n"
            assert.are.equal(256 * MEBIBYTE, room())
            files[path] = nil
        end
    end)

    it("has no such limit where the container has none", function()
        mount("size=1048576k")
        files["/sys/fs/cgroup/memory.max"] = "max\n"
        files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n"
        assert.are.equal(1024 * MEBIBYTE, room())
    end)
end)
