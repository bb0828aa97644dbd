-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Checks a password against a hash. Slow by design: the gateway runs it in a thread beside the event loop.

local apr1 = require "gatehouse.apr1"
local ffi = require "ffi"

local sub = string.sub

ffi.cdef [[
char *crypt_r(const char *phrase, const char *setting, void *data);
]]

local crypt = ffi.load("libcrypt.so.1")
-- Room for the largest struct crypt_data there is (glibc's own, 131,232 bytes), zeroed as crypt_r wants it.
local data = ffi.new("uint64_t[?]", 16512)

-- The most that libcrypt takes; the cost of some schemes grows with the length.
local MAXIMUM = 511

local _M = {}

function _M.verify(password, hash)
    if #password > MAXIMUM then
        return false
    end
    if sub(hash, 1, 6) == "$apr1$" then
        return apr1.crypt(password, hash) == hash
    end
    local result = crypt.crypt_r(password, hash, data)
    -- Lua compares its strings by address: this takes as long wherever they differ.
    return result ~= nil and ffi.string(result) == hash
end

return _M
