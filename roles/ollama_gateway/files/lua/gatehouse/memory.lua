-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- How much memory there is for bodies: the file system in which they wait, but no more than half of what the container
-- or the machine has. The other half is for nginx itself.

local huge, min = math.huge, math.min
local gmatch, match = string.gmatch, string.match

local _M = {}

-- One without a limit says "max", or a number beyond all memory.
local LIMITS = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" }

local function size_of_file_system(mounts, folder)
    local size
    for path, options in gmatch(mounts, "%S+ (%S+) tmpfs (%S+)") do
        if path == folder then
            -- The last one hides those before. It has no size if that is half of the machine's memory.
            size = tonumber(match(options, "%f[%w]size=(%d+)k"))
        end
    end
    return size and size * 1024 or huge
end

-- Returns a number of bytes. `read`: returns what a file says, nil if there is none; `folder`: where bodies wait.
function _M.for_bodies(read, folder)
    local memory = tonumber(match(assert(read("/proc/meminfo")), "MemTotal: +(%d+) kB")) * 1024
    for i = 1, #LIMITS do
        memory = min(memory, tonumber(match(read(LIMITS[i]) or "", "^%d+")) or huge)
    end
    return min(size_of_file_system(assert(read("/proc/mounts")), folder), memory / 2)
end

return _M
