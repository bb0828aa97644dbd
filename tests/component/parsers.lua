-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads bodies as lines of hexadecimal digits with the size of the pieces in front, and answers each with the names of
-- models in hexadecimal digits, or with "refused".

local body_model = require "gatehouse.body_model"

local function pieces(text, size)
    local position = 1 - size
    return function()
        position = position + size
        return position <= #text and text:sub(position, position + size - 1) or nil
    end
end

for line in io.lines() do
    local size, digits = line:match("^(%d+) (%x*)$")
    local text = digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
    local names = body_model.read(pieces(text, tonumber(size)), { "model", "name" })
    local shown = {}
    for i, name in ipairs(names or {}) do
        shown[i] = name:gsub(".", function(sign) return ("%02x"):format(sign:byte()) end)
    end
    print(names and "names " .. table.concat(shown, " ") or "refused")
    io.flush()
end
