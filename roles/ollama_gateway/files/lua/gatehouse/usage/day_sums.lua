-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Adds up a part of a day of the ledger, by client and model. It needs nothing of nginx, so that it can run in a
-- thread: a day may be large, and a disk slow.

local append = require "gatehouse.usage.append"
local entry = require "gatehouse.usage.entry"

local open = io.open
local find, gmatch, match, sub = string.find, string.gmatch, string.match, string.sub

-- In bytes: some milliseconds' worth, and where the first line is.
local PIECE, HEAD = 1048576, 4096

local _M = {}

local function add(sums, client, model, prompt, completion)
    local models = sums[client] or {}
    local sum = models[model] or { 0, 0, 0 }
    sums[client], models[model] = models, sum
    sum[1], sum[2], sum[3] = sum[1] + 1, sum[2] + prompt, sum[3] + completion
end

local function add_line(sums, line)
    local client, model, prompt, completion = entry.take_apart(line)
    if client then
        return add(sums, client, model, prompt, completion)
    end
    local found = entry.decode(line)
    if found then
        add(sums, found.client, found.model, found.prompt_tokens, found.completion_tokens)
    end
end

-- Returns what there is from a byte on, and how long the file is if it ends before that byte.
local function read_piece(path, from)
    local file = append.is_file(path) and open(path, "rb")
    if not file then
        return ""
    end
    local size = file:seek("end")
    local text = file:seek("set", from) and file:read(PIECE)
    file:close()
    return text or "", size and size < from and size or nil
end

-- Of the lines of a file from a byte on, as many as are read at once: returns {client = {model = {requests, tokens of
-- prompts, tokens of answers}}}, the byte behind them, whether that is the end, and how long the file is if it ends
-- before `from`. A line without its end is not read, unless it is none; where there is no file there are no lines.
function _M.read(path, from)
    local text, size = read_piece(path, from)
    local is_end = #text < PIECE
    local last = find(text, "\n", 1, true) and #match(text, "^.*\n") or is_end and 0 or #text
    local sums = {}
    for line in gmatch(sub(text, 1, last), "[^\n]+") do
        add_line(sums, line)
    end
    return sums, from + last, is_end, size
end

-- The id of the first request that a file is about, by which it is told from another one; nil if there is none.
function _M.first(path)
    return match(sub(read_piece(path, 0), 1, HEAD), '"request_id":"(%x+)"')
end

return _M
