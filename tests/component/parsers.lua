-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads bodies as lines: the size of the pieces, then the body and, for a form, its Content-Type and the query, each in
-- hexadecimal digits after a colon. Answers each with the names of models in hexadecimal digits, or with "refused".

local body_model = require "gatehouse.body_model"
local form_model = require "gatehouse.form_model"

local function pieces(text, size)
    local position = 1 - size
    return function()
        position = position + size
        return position <= #text and text:sub(position, position + size - 1) or nil
    end
end

local function decode(digits)
    return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

for line in io.lines() do
    local given = {}
    for digits in line:gmatch(":(%x*)") do
        given[#given + 1] = decode(digits)
    end
    local body = pieces(given[1], tonumber(line:match("^%d+")))
    local names
    if given[2] then
        names = form_model.read(body, { "model", "name" }, given[2], given[3])
    else
        names = body_model.read(body, { "model", "name" })
    end
    local shown = {}
    for i, name in ipairs(names or {}) do
        shown[i] = name:gsub(".", function(sign) return ("%02x"):format(sign:byte()) end)
    end
    print(names and "names " .. table.concat(shown, " ") or "refused")
    io.flush()
end
