-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads a line of the ledger. A day may have a million: they are taken apart at their fixed members instead of being
-- read as JSON. It needs nothing of nginx, so that it can run in a thread.

local cjson = require "cjson.safe"

local floor = math.floor
local byte, find, sub = string.byte, string.find, string.sub

local BEGIN, END = '{"time":"', byte("}")
-- Where the time has ended.
local BEHIND = #BEGIN + #"2026-11-30T06:12:18.123Z"
local MOST = 10 ^ 15

local _M = { BEGIN = BEGIN, BEHIND = BEHIND }

-- What stands in a line between two texts, from a position on, and the position of the second; nil if one is missing.
local function between(line, position, before, behind)
    local _, last = find(line, before, position, true)
    local stop = last and find(line, behind, last + 1, true)
    if stop then
        return sub(line, last + 1, stop - 1), stop
    end
end

local function is_number(value)
    return type(value) == "number" and value >= 0 and value < MOST
end

local function is_count(value)
    return is_number(value) and value == floor(value)
end

-- Returns the client, the model, and the tokens of prompt and answer of a line that is as the ledger writes it; nil of
-- any other.
function _M.take_apart(line)
    -- A line that was cut may have another one behind it.
    if byte(line, -1) ~= END or find(line, "\\", 1, true) or find(line, "{", 2, true) then
        return nil
    end
    local client, model, prompt, completion, position
    client, position = between(line, BEHIND, '","client":"', '","key":"')
    if client then
        model, position = between(line, position, '","model":"', '","route":"')
    end
    if model then
        prompt, position = between(line, position, ',"prompt_tokens":', ',"completion_tokens":')
    end
    if prompt then
        completion = between(line, position, ',"completion_tokens":', ',"source":')
    end
    prompt, completion = tonumber(prompt), tonumber(completion)
    if is_count(prompt) and is_count(completion) then
        return client, model, prompt, completion
    end
end

-- Returns what any line says; or nil if it is none of the ledger.
function _M.decode(line)
    local entry = cjson.decode(line)
    if type(entry) == "table" and type(entry.client) == "string" and type(entry.model) == "string"
        and is_count(entry.prompt_tokens) and is_count(entry.completion_tokens) and is_number(entry.seconds) then
        return entry
    end
end

return _M
