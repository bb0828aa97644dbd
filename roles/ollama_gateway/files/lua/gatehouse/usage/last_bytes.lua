-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The last bytes of what passes in pieces. The first piece is held, for often there is no other. The bytes of more are
-- copied into memory of their own: no string is made of them until they are asked for.

local ffi = require "ffi"

local copy, ffi_string = ffi.copy, ffi.string
local sub = string.sub
local remove = table.remove

local BYTES = ffi.typeof("const uint8_t *")
-- How many bytes are kept, and room for so many more that they move seldom, and never onto themselves.
local KEPT, ROOM = 2048, 6144
local BUFFER = ffi.typeof("uint8_t[" .. ROOM .. "]")

local _M = { KEPT = KEPT }
local methods = {}
local METATABLE = { __index = methods }
-- The memory of those that were read, for the next ones.
local free, MOST_FREE = {}, 100

local function copy_in(self, piece)
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

function methods:add(piece)
    local first = self.first
    if not first and not self.buffer then
        self.first = piece
        return
    end
    if first then
        self.first, self.buffer = nil, remove(free) or BUFFER()
        copy_in(self, first)
    end
    copy_in(self, piece)
end

function methods:text()
    if not self.buffer then
        return sub(self.first or "", -KEPT)
    end
    local from = self.filled > KEPT and self.filled - KEPT or 0
    return ffi_string(self.buffer + from, self.filled - from)
end

-- Ends it: what it held is gone.
function methods:forget()
    if self.buffer and #free < MOST_FREE then
        free[#free + 1] = self.buffer
    end
    self.first, self.buffer, self.filled = nil, nil, 0
end

function _M.new()
    return setmetatable({ filled = 0 }, METATABLE)
end

return _M
