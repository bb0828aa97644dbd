-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Tells whether something in a folder may have changed since the last look, by inotify(7): one system call that finds
-- nothing costs a fraction of looking at each file. The kernel queues the event before the change returns to whoever
-- made it, so none is missed; but changes through a memory map, another hard link or a network file system make none.

local bit = require "bit"
local ffi = require "ffi"

local C, ffi_string = ffi.C, ffi.string

ffi.cdef [[
int inotify_init1(int flags);
int inotify_add_watch(int queue, const char *path, uint32_t mask);
long read(int file, void *buffer, size_t size);
int close(int file);
char *strerror(int error);
]]

local IN_NONBLOCK, IN_CLOEXEC, IN_IGNORED = 0x800, 0x80000, 0x8000
-- IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_ONLYDIR
local CHANGES = 0x2 + 0x4 + 0x8 + 0x40 + 0x80 + 0x100 + 0x200 + 0x1000000
local EVENT = ffi.typeof("struct { int watch; uint32_t mask, cookie, length; } *")
local EVENT_SIZE = 16

local SIZE = 4096
local buffer = ffi.new("char[?]", SIZE)

local _M = {}
local methods = {}

-- Whether the events in the buffer tell that the folder itself is gone.
local function is_gone(length)
    local offset = 0
    while offset < length do
        local event = ffi.cast(EVENT, buffer + offset)
        if bit.band(event.mask, IN_IGNORED) ~= 0 then
            return true
        end
        offset = offset + EVENT_SIZE + event.length
    end
    return false
end

-- Whether something may have changed since the last call: always, where that cannot be told.
function methods:stirred()
    if not self.queue then
        return true
    end
    local length = C.read(self.queue[0], buffer, SIZE)
    if length <= 0 then
        return false
    end
    repeat
        if is_gone(length) then
            self.queue = nil
            return true
        end
        length = C.read(self.queue[0], buffer, SIZE)
    until length <= 0
    return true
end

-- To be called in the process that will ask: a child would share the queue and take events out of it.
-- Returns the watched folder and, where it cannot be watched, an error: it then counts as stirred at all times.
function _M.new(path)
    local queue = ffi.new("int[1]", C.inotify_init1(IN_NONBLOCK + IN_CLOEXEC))
    if queue[0] >= 0 then
        ffi.gc(queue, function(this) C.close(this[0]) end)
    end
    if queue[0] < 0 or C.inotify_add_watch(queue[0], path, CHANGES) < 0 then
        local err = path .. ": failed to watch it: " .. ffi_string(C.strerror(ffi.errno()))
        return setmetatable({}, { __index = methods }), err
    end
    return setmetatable({ queue = queue }, { __index = methods })
end

return _M
