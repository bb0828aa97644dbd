-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The last bytes of what passes in pieces. They are copied into memory of their own: no string is made of them, and no
-- piece is held, until they are asked for.

local ffi = require "ffi"

local copy, ffi_string = ffi.copy, ffi.string

local BYTES = ffi.typeof("const uint8_t *")
-- How many bytes are kept, and room for so many more that they move seldom, and never onto themselves.
local KEPT, ROOM = 2048, 6144
local BUFFER = ffi.typeof("uint8_t[" .. ROOM .. "]")

local _M = { KEPT = KEPT }
local methods = {}

function methods:add(piece)
    local length, filled = #piece, self.filled
    if length >= KEPT then
        copy(self.buffer, ffi.cast(BYTES, piece) + length - KEPT, KEPT)
        self.filled = KEPT
        return
    end
    if filled + length > ROOM then
        copy(self.buffer, self.buffer + filled - KEPT, KEPT)
        filled = KEPT
    end
    copy(self.buffer + filled, piece, length)
    self.filled = filled + length
end

function methods:text()
    local from = self.filled > KEPT and self.filled - KEPT or 0
    return ffi_string(self.buffer + from, self.filled - from)
end

function _M.new()
    return setmetatable({ buffer = BUFFER(), filled = 0 }, { __index = methods })
end

return _M
