-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Counts what the ledger tells of today and of the last two minutes: after a restart, memory that workers share is
-- empty.
--
-- Most lines only add to the sums of a day; what has another form than a line of the ledger is read as JSON, and
-- skipped if it is none.

local entry = require "gatehouse.usage.entry"
local ffi = require "ffi"
local timestamps = require "gatehouse.timestamps"

local cast = ffi.cast
local date = os.date
local floor = math.floor
local match, sub = string.match, string.sub

local BYTES = ffi.typeof("const uint8_t *")
-- Where the time stands, to the minute.
local TIME, MINUTE = #entry.BEGIN + 1, #entry.BEGIN + #"2026-11-30T06:12"
local DAY = #"2026-11-30"

local _M = {}

-- Returns the seconds since 1970 of such a time; or nil.
local function time_of(text)
    local whole, fraction = match(type(text) == "string" and text or "", "^([%d-]+T[%d:]+)(%.%d+)Z$")
    whole = whole and whole .. "Z"
    local second = whole and #whole == #"2026-11-30T06:12:18Z" and timestamps.at(cast(BYTES, whole))
    return second and second + tonumber("0" .. fraction)
end

-- Returns the entry of a line, with its end in seconds as `ended`; or nil.
local function decode(line)
    local found = entry.decode(line)
    if found then
        found.ended = time_of(found.time)
        return found.ended and found
    end
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
    local found = decode(line)
    if not found then
        return false
    end
    local tokens = found.prompt_tokens + found.completion_tokens
    if found.ended >= since and found.ended <= now then
        return true, count(rights, admission, found.client, found.model, found.ended, tokens,
            found.ended - found.seconds)
    elseif sub(found.time, 1, DAY) == date("!%Y-%m-%d", now) then
        add(sums, found.client, found.model, tokens)
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
        local is_early = #line > entry.BEHIND and sub(line, 1, #entry.BEGIN) == entry.BEGIN
            and sub(line, TIME, MINUTE) < recent
        if not is_early or sub(line, TIME, TIME + DAY - 1) == today then
            local client, model, prompt, completion
            if is_early then
                client, model, prompt, completion = entry.take_apart(line)
            end
            if client then
                add(sums, client, model, prompt + completion)
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
