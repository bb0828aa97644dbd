-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Which addresses count as one sender.

local sub = string.sub

-- Whoever has an IPv6 address mostly has all that begin with the same 64 bits.
local NETWORK = 8

local _M = {}

-- `address`: 4 or 16 bytes. Returns 4 or 8.
function _M.of(address)
    return #address == 16 and sub(address, 1, NETWORK) or address
end

return _M
