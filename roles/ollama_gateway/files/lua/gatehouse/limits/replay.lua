-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counts what the ledger tells of today and of the last two minutes: after a restart, memory that workers share is
-- empty.
--
-- A day may have a million lines. Most of them only add to the sums of a day, and are taken apart at their fixed
-- members instead of being read as JSON; what has another form than a line of the ledger is read as JSON, and skipped
-- if it is none.

local cjson = require "cjson.safe"
local ffi = require "ffi"
local timestamps = require "gatehouse.timestamps"

local cast = ffi.cast
local date = os.date
local floor = math.floor
local byte, find, match, sub = string.byte, string.find, string.match, string.sub

local BYTES = ffi.typeof("const uint8_t *")
local BEGIN, END = '{"time":"', byte("}")
-- Where the time stands, to the minute, and where it has ended.
local TIME, MINUTE, BEHIND = #BEGIN + 1, #BEGIN + #"2026-11-30T06:12", #BEGIN + #"2026-11-30T06:12:18.123Z"
local DAY = #"2026-11-30"
local MOST = 10 ^ 15

local _M = {}

-- What stands in a line between two texts, from a position on, and the position of the second; nil if one is missing.
local function between(line, position, before, behind)
    local _, last = find(line, before, position, true)
    local stop = last and find(line, behind, last + 1, true)
    if stop then
        return sub(line, last + 1, stop - 1), stop
    end
end

local function is_count(value)
    return type(value) == "number" and value >= 0 and value < MOST
end

-- Returns the client, the model and the tokens of a line that is as the ledger writes it; nil of any other.
local function take_apart(line)
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
        return client, model, prompt + completion
    end
end

-- Returns the seconds since 1970 of such a time; or nil.
local function time_of(text)
    local whole, fraction = match(type(text) == "string" and text or "", "^([%d-]+T[%d:]+)(%.%d+)Z$")
    whole = whole and whole .. "Z"
    local second = whole and #whole == #"2026-11-30T06:12:18Z" and timestamps.at(cast(BYTES, whole))
    return second and second + tonumber("0" .. fraction)
end

-- Returns the entry of a line, with its end in seconds as `ended`; or nil.
local function decode(line)
    local entry = cjson.decode(line)
    if type(entry) ~= "table" or type(entry.client) ~= "string" or type(entry.model) ~= "string"
        or not is_count(entry.prompt_tokens) or not is_count(entry.completion_tokens)
        or not is_count(entry.seconds) then
        return nil
    end
    entry.ended = time_of(entry.time)
    return entry.ended and entry
end

local function add(sums, client, model, tokens)
    local of_client = sums[client]
    if not of_client then
        of_client = {}
        sums[client] = of_client
    end
    of_client[model] = (of_client[model] or 0) + tokens
end

local function count(rights, admission, client, ...)
    local limits = rights:limits(client)
    if limits then
        return select(2, admission:count(client, limits, ...))
    end
end

-- Counts a line that has to be read as a whole. Returns whether it is one, and an error if it could not be counted.
local function count_whole(line, sums, since, now, rights, admission)
    local entry = decode(line)
    if not entry then
        return false
    end
    local tokens = entry.prompt_tokens + entry.completion_tokens
    if entry.ended >= since and entry.ended <= now then
        return true, count(rights, admission, entry.client, entry.model, entry.ended, tokens,
            entry.ended - entry.seconds)
    elseif sub(entry.time, 1, DAY) == date("!%Y-%m-%d", now) then
        add(sums, entry.client, entry.model, tokens)
    end
    return true
end

-- `lines`: returns one line after the other, without its end, nil at the end: of the file of today, and of that of
-- yesterday in the first two minutes of a day; `rights`: those of clients.json; `admission`: to count at; `now`: in
-- seconds. To be done once, before anything else counts. Returns how many lines were read, how many of them were
-- damaged, and an error if some could not be counted.
function _M.replay(lines, rights, admission, now)
    local since = (floor(now / 60) - 1) * 60
    local today, recent = date("!%Y-%m-%d", now), date("!%Y-%m-%dT%H:%M", since)
    local read, damaged, sums, problem = 0, 0, {}, nil
    for line in lines do
        read = read + 1
        local is_early = #line > BEHIND and sub(line, 1, #BEGIN) == BEGIN and sub(line, TIME, MINUTE) < recent
        if not is_early or sub(line, TIME, TIME + DAY - 1) == today then
            local client, model, tokens
            if is_early then
                client, model, tokens = take_apart(line)
            end
            if client then
                add(sums, client, model, tokens)
            else
                local is_whole, err = count_whole(line, sums, since, now, rights, admission)
                damaged = damaged + (is_whole and 0 or 1)
                problem = err or problem
            end
        end
    end
    for client, models in pairs(sums) do
        for model, tokens in pairs(models) do
            problem = count(rights, admission, client, model, now - now % 86400, tokens) or problem
        end
    end
    return read, damaged, problem
end

return _M
