-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Appends to a file at once: what several write to it at the same time stands there one after the other. It needs
-- nothing of nginx, so that it can run in a thread, where a slow disk makes nobody wait.

local bit = require "bit"
local ffi = require "ffi"

local C, ffi_string = ffi.C, ffi.string
local byte = string.byte

ffi.cdef [[
int open(const char *path, int flags, ...);
long lseek(int file, long offset, int from);
long read(int file, void *bytes, size_t size);
long write(int file, const void *bytes, size_t size);
int close(int file);
char *strerror(int error);
]]

local NEWLINE = byte("\n")
local O_RDWR, O_CREAT, O_APPEND, O_CLOEXEC = 2, 0x40, 0x400, 0x80000
-- The only one of these that Linux numbers by the machine.
local O_NOFOLLOW = (ffi.arch == "x64" or ffi.arch == "x86") and 0x20000 or 0x8000
local FLAGS = bit.bor(O_RDWR, O_CREAT, O_APPEND, O_CLOEXEC, O_NOFOLLOW)
-- 0640.
local MODE = ffi.new("int", 416)
local READ_FLAGS = bit.bor(0x800, O_CLOEXEC, O_NOFOLLOW)
local SEEK_END, EINTR, ENOENT = 2, 4, 2
-- Ten million lines: no day has more, unless somebody is about to fill the disk.
local MOST = 4 * 2 ^ 30

local last_byte = ffi.new("uint8_t[1]")

local _M = {}

local function failure()
    return nil, ffi_string(C.strerror(ffi.errno()))
end

-- Whether the file ends within a line, which a full disk or a kill may have cut.
local function is_cut(file)
    return C.lseek(file, -1, SEEK_END) >= 0 and C.read(file, last_byte, 1) == 1 and last_byte[0] ~= NEWLINE
end

local function write(file, text)
    local written
    repeat
        written = tonumber(C.write(file, text, #text))
    until written >= 0 or ffi.errno() ~= EINTR
    if written < 0 then
        return failure()
    end
    return written
end

-- Whether there is a file that can be read: not what would hold up or end who reads it. Or nil, and an error unless
-- there is nothing at all.
function _M.is_file(path)
    local file = C.open(path, READ_FLAGS)
    if file < 0 then
        local is_missing = ffi.errno() == ENOENT
        local _, err = failure()
        return nil, not is_missing and err or nil
    end
    local is = C.lseek(file, 0, SEEK_END) >= 0 and C.read(file, last_byte, 0) == 0
    C.close(file)
    return is or nil, not is and "it is no file" or nil
end

-- Appends lines to the file, which is made if it is not there; never behind a link, nor to a line that was cut. Returns
-- how many bytes of the text were written; or nil and an error.
function _M.append(path, text)
    local file = C.open(path, FLAGS, MODE)
    if file < 0 then
        return failure()
    end
    -- A pipe and the like have no size.
    local size = C.lseek(file, 0, SEEK_END)
    if size < 0 or size >= MOST then
        C.close(file)
        return nil, size < 0 and "it is no file" or "it has the size that a day may have"
    end
    local added = is_cut(file) and byte(text) ~= NEWLINE and "\n" or ""
    local written, err = write(file, added .. text)
    C.close(file)
    if not written then
        return nil, err
    end
    return written > #added and written - #added or 0
end

return _M
