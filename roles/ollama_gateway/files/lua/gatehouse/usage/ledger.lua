-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The queue of one worker's lines for the ledger: one line of JSON for each request to a model, in a file for each day
-- in UTC. A line is written once: what fails is kept and tried again, and what was cut is written anew on a line of its
-- own. While `append` waits, others may add lines and may call for another flush.

local cjson = require "cjson.safe"
local remembering = require "gatehouse.remembering"

local date = os.date
local abs, floor, max = math.abs, math.floor, math.max
local find, format, gsub, sub = string.find, string.format, string.gsub, string.sub
local concat = table.concat

local DAY = 86400
-- How many lines wait at the most, in seconds after which one tries again after a failure, and how often that is told.
local MOST, RETRY, TOLD = 10000, 1, 60
-- No name that Ollama takes is longer.
local LONGEST = 512
-- A clock before 2026 is not set: by it nothing is removed. So many days before those that are kept are looked for, the
-- first time and then.
local EARLIEST, FIRST_DAYS, DAYS = 1767225600, 1000, 60
local ENOENT = 2

local _M = {}
local methods = {}

-- A string of JSON, for names come again and again. cjson escapes slashes, which nobody else does; bytes that are no
-- text cannot stand in JSON.
local as_json = remembering.new(function(text)
    text = sub(text, 1, LONGEST)
    if find(text, "[\128-\255]") then
        text = gsub(text, "[\128-\255]+", "?")
    end
    return (gsub(cjson.encode(text), "\\/", "/"))
end, LONGEST)

local function quoted(text)
    return as_json(text or "")
end

-- One that is about to be replaced counts as the one that replaces it.
local quoted_key = remembering.new(function(key)
    return quoted((gsub(key, "~old$", "")))
end, LONGEST)

local function seconds(value)
    -- No clock that jumps makes it negative.
    return format("%.3f", max(value, 0))
end

local last_second, second_as_text

-- The time in UTC to the millisecond, of which the first ten characters are the day.
local function timestamp(time)
    local milliseconds = floor(time * 1000 + 0.5)
    local second = floor(milliseconds / 1000)
    if second ~= last_second then
        last_second, second_as_text = second, date("!%Y-%m-%dT%H:%M:%S", second)
    end
    return second_as_text .. format(".%03dZ", milliseconds % 1000)
end

local function encode(entry, time)
    return concat({
        '{"time":"', time,
        '","request_id":"', entry.request_id,
        '","client":', quoted(entry.client),
        ',"key":', quoted_key(entry.key or ""),
        ',"model":', quoted(entry.model),
        ',"route":', quoted(entry.route),
        ',"status":', format("%d", entry.status),
        ',"prompt_tokens":', format("%d", entry.prompt_tokens),
        ',"completion_tokens":', format("%d", entry.completion_tokens),
        ',"source":', quoted(entry.source),
        ',"end":', quoted(entry.end_),
        ',"seconds":', seconds(entry.seconds),
        ',"first_chunk_seconds":', entry.first_chunk_seconds and seconds(entry.first_chunk_seconds) or "null",
        ',"server":', quoted(entry.server),
        "}\n",
    })
end

local function path_of(self, day)
    return self.folder .. "/" .. day .. ".jsonl"
end

local function is_due(self, since, after)
    return not since or abs(self.now() - since) >= after
end

-- At most once a minute.
local function tell(self, problem)
    if is_due(self, self.told_at, TOLD) then
        self.told_at, self.has_told = self.now(), true
        self.log(format("%s; %d lines wait, and %d are lost", problem, self:pending(), self.dropped))
    end
end

-- Makes the lines those that wait; the oldest beyond what may wait are lost.
local function keep(self, lines, days)
    local count = #lines
    local over = max(count - MOST, 0)
    self.lines, self.days = lines, days
    self.first, self.last = over + 1, count
    self.dropped = self.dropped + over
    for i = 1, over do
        lines[i], days[i] = nil, nil
    end
end

-- Adds a line about a request that has ended now. `entry`: `request_id` (digits in base 16), `client`, `key`, `model`,
-- `route`, `status`, `prompt_tokens`, `completion_tokens`, `source`, `end_`, `seconds`, `first_chunk_seconds` (nil if
-- none came), and `server`.
function methods:add(entry)
    local time = timestamp(self.now())
    self.last, self.oldest = self.last + 1, self.oldest or self.now()
    self.lines[self.last], self.days[self.last] = encode(entry, time), sub(time, 1, 10)
    if self.last - self.first + 1 > MOST then
        self.lines[self.first], self.days[self.first] = nil, nil
        self.first, self.dropped = self.first + 1, self.dropped + 1
        tell(self, "it takes too long to write the ledger")
    end
end

-- How many lines are not written yet.
function methods:pending()
    return self.last - self.first + 1 + self.in_flight
end

-- For how many seconds the oldest of them waits.
function methods:lag()
    local since = self.writing or self.oldest
    return since and max(self.now() - since, 0) or 0
end

-- How many lines will never be.
function methods:lost()
    return self.dropped
end

local function note_failure(self, path, err)
    self.failed_at = self.now()
    tell(self, format("failed to write to %s: %s", path, tostring(err)))
end

local function note_success(self)
    self.failed_at = nil
    if self.has_told then
        self.has_told = false
        self.log(format("the ledger is written again; %d lines were lost", self.dropped))
    end
end

-- How many of the lines are whole within so many bytes of them, and whether the last of those bytes is within a line.
local function count_written(lines, bytes)
    for count, line in ipairs(lines) do
        if bytes < #line then
            -- One that lacks nothing but its end is read as whole: written anew it would be there twice.
            return bytes == #line - 1 and count or count - 1, bytes > 0
        end
        bytes = bytes - #line
    end
    return #lines, false
end

-- Appends lines to the file of their day. Returns how many were written, and whether all went well.
local function write(self, day, lines)
    local path = path_of(self, day)
    -- The line that was cut before stays so, and this one is not glued to it.
    local start = self.cut[day] and "\n" or ""
    local text = start .. concat(lines)
    local ok, written, err = pcall(self.append, path, text)
    if not ok or not written then
        note_failure(self, path, ok and err or written)
        return 0, false
    elseif written < #start then
        note_failure(self, path, "nothing was written")
        return 0, false
    end
    local count, is_cut = count_written(lines, written - #start)
    self.cut[day] = is_cut or nil
    if written < #text then
        note_failure(self, path, format("only %d of %d bytes were written", written, #text))
    end
    return count, written == #text
end

-- Takes all lines that wait. Returns the days among them in order, and of each the lines and their places.
local function take_all(self)
    local order, batches = {}, {}
    for i = self.first, self.last do
        local day = self.days[i]
        if not batches[day] then
            batches[day] = { lines = {}, places = {} }
            order[#order + 1] = day
        end
        local batch = batches[day]
        batch.lines[#batch.lines + 1], batch.places[#batch.places + 1] = self.lines[i], i
    end
    local taken = { lines = self.lines, days = self.days, first = self.first, last = self.last }
    self.in_flight = self.in_flight + taken.last - taken.first + 1
    self.lines, self.days, self.first, self.last = {}, {}, 1, 0
    return taken, order, batches
end

-- Puts what was taken and not written before what was added meanwhile.
local function put_back(self, taken)
    local lines, days = {}, {}
    for _, queue in ipairs({ taken, self }) do
        for i = queue.first, queue.last do
            if queue.lines[i] then
                lines[#lines + 1], days[#days + 1] = queue.lines[i], queue.days[i]
            end
        end
    end
    keep(self, lines, days)
end

local function write_all(self)
    local oldest = self.oldest
    self.writing, self.oldest = self.writing or oldest, nil
    local taken, order, batches = take_all(self)
    local left = taken.last - taken.first + 1
    local has_failed = false
    for _, day in ipairs(order) do
        local batch = batches[day]
        local count, is_well = write(self, day, batch.lines)
        has_failed = has_failed or not is_well
        for i = 1, count do
            taken.lines[batch.places[i]] = nil
        end
        left = left - count
        self.in_flight = self.in_flight - count
    end
    if has_failed then
        self.in_flight = self.in_flight - left
        put_back(self, taken)
        self.oldest = oldest
    else
        note_success(self)
    end
    self.writing = nil
end

-- Writes all lines that wait, with one append for each day. While another flush waits for `append`, it does nothing:
-- the lines that came meanwhile are for the next one. After a failure it tries again after a second. `at_once`: neither
-- is waited for, since there will be no next one. Returns whether nothing waits any more.
function methods:flush(at_once)
    if self.last >= self.first and (at_once or self.flushes == 0 and is_due(self, self.failed_at, RETRY)) then
        self.flushes = self.flushes + 1
        write_all(self)
        self.flushes = self.flushes - 1
    end
    return self:pending() == 0
end

-- Removes the files of the days before the last `keep_days`, today not counted.
function methods:expire(keep_days)
    local now = self.now()
    if now < EARLIEST then
        return
    end
    local last = floor(now / DAY) - keep_days - 1
    for day = last, last - (self.has_expired and DAYS or FIRST_DAYS) + 1, -1 do
        local path = path_of(self, sub(timestamp(day * DAY), 1, 10))
        local ok, err, code = self.remove(path)
        if not ok and code and code ~= ENOENT then
            self.log(format("failed to remove %s: %s", path, err))
        end
    end
    self.has_expired = true
end

-- `folder`: where the files are; `now`: tells the time in seconds; `append`: writes a text to the end of the file at a
-- path and returns how many bytes it wrote, or nil and an error; `remove`: removes the file at a path, as os.remove
-- does; `log`: takes a message.
function _M.new(options)
    return setmetatable({
        folder = options.folder,
        now = options.now,
        append = options.append,
        remove = options.remove,
        log = options.log,
        lines = {},
        days = {},
        first = 1,
        last = 0,
        in_flight = 0,
        dropped = 0,
        -- Of which days the last line is cut that was written here.
        cut = {},
        -- How many are under way.
        flushes = 0,
    }, { __index = methods })
end

return _M
