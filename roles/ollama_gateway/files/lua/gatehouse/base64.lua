-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Base64 as RFC 4648 section 4 writes it: padded, no line breaks, nothing else around it.

local floor = math.floor
local byte, char, find, sub = string.byte, string.char, string.find, string.sub
local concat = table.concat

local VALUES = {}
do
    local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for i = 1, #alphabet do
        VALUES[byte(alphabet, i)] = i - 1
    end
    VALUES[byte("=")] = 0
end

local _M = {}

function _M.decode(text)
    if #text % 4 ~= 0 or not find(text, "^[%w+/]*=?=?$") then
        return nil, "failed to decode: not padded base64"
    end
    local parts = {}
    for i = 1, #text, 4 do
        local a, b, c, d = byte(text, i, i + 3)
        local bits = VALUES[a] * 262144 + VALUES[b] * 4096 + VALUES[c] * 64 + VALUES[d]
        parts[#parts + 1] = char(floor(bits / 65536), floor(bits / 256) % 256, bits % 256)
    end
    local padding = find(text, "==$") and 2 or find(text, "=$") and 1 or 0
    return sub(concat(parts), 1, -1 - padding)
end

return _M
