-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Whether the gateway asks for the counts of a stream of /v1/chat/completions, and how: with a second `stream_options`
-- at the end of the body. Go's encoding/json takes members in their order: a bool that comes again replaces the one
-- before, null changes nothing; an object that comes again changes what it names in the one before, null forgets that
-- one. So the last one holds, and all else in the body is as the client wrote it.

local json_scanner = require "gatehouse.json_scanner"

local byte, gsub, lower, sub = string.byte, string.gsub, string.lower, string.sub

local OPTIONS = '"stream_options":{"include_usage":true}}'
local OPEN_OBJECT, CLOSE_OBJECT = byte("{}", 1, -1)
local SPACE = { [byte(" ")] = true, [byte("\t")] = true, [byte("\n")] = true, [byte("\r")] = true }

local NONE = { is_cut = false }

local _M = {
    -- The members of a body that body_model has to watch for this.
    WATCHED = { "stream", "stream_options" },
}

local function is_stream(values)
    local is = false
    for _, text in ipairs(values) do
        if text == "true" or text == "false" then
            is = text == "true"
        end
    end
    return is or values.is_cut
end

-- Reads one `stream_options`. Returns what `include_usage` is after it; `before`: what it was.
local function read_options(text, before)
    if text == "null" then
        return false
    end
    local is, pieces = before, { text }
    json_scanner.scan(function() return table.remove(pieces) end, function(scanner, key)
        local value = scanner:raw(#"false")
        -- As Go folds it; one sign beyond ASCII is an "s" in disguise.
        if lower((gsub(key, "\197\191", "s"))) == "include_usage" and (value == "true" or value == "false") then
            is = value == "true"
        end
    end)
    return is
end

-- `found`: what body_model found of a body. Whether the client gets an event with the counts because it asked for it;
-- also where that is too long to tell.
function _M.client_asked(found)
    local options, is = found.values.stream_options or NONE, false
    for _, text in ipairs(options) do
        is = read_options(text, is)
    end
    return is or options.is_cut
end

-- Whether the gateway has to ask. It does not where that is too long to tell: it could not take the event out again.
function _M.wants(found)
    return is_stream(found.values.stream or NONE) and not _M.client_asked(found)
end

local function back_over_space(text, position)
    while SPACE[byte(text, position)] do
        position = position - 1
    end
    return position
end

-- `tail`: the last bytes of a body that is one JSON object. Returns how many of them stand before its last bracket, and
-- what has to stand from there to the end; or nil if it needs more bytes to tell.
function _M.ending(tail)
    local last = back_over_space(tail, #tail)
    local before = back_over_space(tail, last - 1)
    if byte(tail, last) ~= CLOSE_OBJECT or before < 1 then
        return nil
    end
    return last - 1, (byte(tail, before) == OPEN_OBJECT and "" or ",") .. OPTIONS
end

-- Returns the body with the question for the counts.
function _M.splice(text)
    local kept, added = _M.ending(text)
    return kept and sub(text, 1, kept) .. added or text
end

return _M
