-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- A parsed file that is read again only when it changed. Damage never replaces what was good, unless the file is
-- optional.

local ffi = require "ffi"

local C, ffi_string = ffi.C, ffi.string
local open = io.open
local abs = math.abs

-- statx, because its structure is the same on every architecture.
ffi.cdef [[
struct gatehouse_time { int64_t seconds; uint32_t nanoseconds; int32_t reserved; };
struct gatehouse_stat {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, padding;
    uint64_t inode, size, blocks, attributes_mask;
    struct gatehouse_time accessed, created, changed, modified;
    uint64_t reserved[16];
};
struct gatehouse_clock { long seconds, nanoseconds; };
int statx(int folder, const char *path, int flags, unsigned int mask, struct gatehouse_stat *result);
int clock_gettime(int clock, struct gatehouse_clock *result);
char *strerror(int error);
]]

local AT_FDCWD, STATX_BASIC_STATS, CLOCK_REALTIME = -100, 0x7ff, 0
local ENOENT = 2
-- File times move in steps of up to 10 ms: two changes within one step cannot be told apart by them.
local TIME_STEP = 0.05

local now, stat = ffi.new("struct gatehouse_clock"), ffi.new("struct gatehouse_stat")

local _M = {}
local methods = {}

-- Whether a later change is sure to show in the file's times.
local function is_settled()
    C.clock_gettime(CLOCK_REALTIME, now)
    local seconds = tonumber(now.seconds - stat.changed.seconds)
    return abs(seconds + tonumber(now.nanoseconds - stat.changed.nanoseconds) / 1e9) > TIME_STEP
end

local function complain(self, err)
    if err ~= self.complaint then
        self.complaint = err
        self.log(self.path .. ": " .. err .. "; " .. (self.is_optional and "it does not count"
            or self.good and "what it said before still counts" or "until it is repaired nobody is let in by it"))
    end
end

-- One that may be missing says nothing then, and nothing where it is damaged.
local function forget(self)
    if self.is_optional then
        self.good, self.text = nil, nil
    end
end

local function read(path)
    local file, err = open(path, "rb")
    if not file then
        return nil, "failed to open: " .. err
    end
    local text
    text, err = file:read("*a")
    file:close()
    return text, err and "failed to read: " .. err
end

-- Looks whether the file changed since it was read, or may have. Returns its size in bytes if so; or nil.
function methods:changed()
    if C.statx(AT_FDCWD, self.path, 0, STATX_BASIC_STATS, stat) ~= 0 then
        local number = ffi.errno()
        forget(self)
        if self.is_optional and number == ENOENT then
            self.seen, self.complaint = nil, nil
        else
            complain(self, "failed to look at it: " .. ffi_string(C.strerror(number)))
        end
        return nil
    end
    -- All counts but the last access; the last change of the inode too, which moves when a file becomes readable.
    ffi.fill(stat.accessed, ffi.sizeof(stat.accessed))
    local seen = ffi_string(stat, ffi.sizeof(stat))
    if seen ~= self.seen then
        self.complaint = nil
    elseif self.settled then
        return nil
    end
    -- Looked at before it is read: a change in between is found by the next look.
    self.seen, self.settled = seen, is_settled()
    return tonumber(stat.size)
end

-- Reads the file. `good` is what it says then; if it is damaged, what it said last; nil if it never was good. The same
-- text is not parsed again. `pause`: handed on to `parse`.
function methods:read(pause)
    local text, err = read(self.path)
    local value
    if text and text == self.text then
        self.complaint = nil
        return
    elseif text then
        value, err = self.parse(text, pause)
    end
    if not value then
        forget(self)
        return complain(self, err)
    end
    self.good, self.text, self.complaint = value, text, nil
end

-- `parse` makes a value of the text, or nil and an error; it may call `pause`, if it gets one. `log` takes one message
-- per change for the worse. `is_optional`: the file may be missing, and counts only while it is there and sound.
function _M.new(path, parse, log, is_optional)
    local file = { path = path, parse = parse, log = log, is_optional = is_optional }
    return setmetatable(file, { __index = methods })
end

return _M
