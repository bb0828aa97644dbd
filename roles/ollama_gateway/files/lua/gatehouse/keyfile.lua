-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads clients/api_keys, byte by byte: 100,000 lines are read while the event loop waits. Errors give the line's
-- number and never its text: it may be a key.

local bit = require "bit"
local digest = require "gatehouse.digest"
local ffi = require "ffi"
local key_index = require "gatehouse.key_index"
local timestamps = require "gatehouse.timestamps"

local band = bit.band
local C, cast, ffi_string = ffi.C, ffi.cast, ffi.string
local HUGE = math.huge
local byte, find, gmatch, match = string.byte, string.find, string.gmatch, string.match

ffi.cdef [[
void *memchr(const void *bytes, int sign, size_t length);
int memcmp(const void *one, const void *other, size_t length);
]]

-- No client of the inventory can have this name.
local PLAIN_TEXT = "(plain text)"

local BYTES = ffi.typeof("const uint8_t *")
local NEWLINE, HASH, DOT = byte("\n#.", 1, 3)
local TIME_LENGTH = #"2027-01-01T00:00:00Z"
-- The id of the key that a rotation replaced, until it ends.
local OLD = "~old"
local LAST4 = "last4="
-- Of a given key with less than 128 bits of randomness.
local GUESSABLE = "guessable=yes"
-- Of a key that may stand in the path of a request.
local IN_PATH = "in_path=yes"
-- The fewest characters that a secret may have.
local SHORTEST = 8
-- A name, or the first part of one if it has a dot or a tilde.
local NAME_CUT = "^[a-z0-9][a-z0-9._~-]*$"
-- Some milliseconds' worth.
local LINES_A_TURN = 2000
local MOST_LISTED = 1000

-- What a byte may be.
local SPACE, FIRST, NAME, ID = 1, 2, 4, 8
local kinds = ffi.new("uint8_t[256]")
local digits = ffi.new("uint8_t[256]")
do
    local function mark(pattern, kind)
        for i = 0, 255 do
            if string.char(i):find(pattern) then
                kinds[i] = kinds[i] + kind
            end
        end
    end
    mark("%s", SPACE)
    mark("[a-z0-9]", FIRST)
    mark("[a-z0-9._-]", NAME)
    mark("[a-z0-9_-]", ID)
    ffi.fill(digits, 256, 255)
    for digit in gmatch("0123456789abcdefABCDEF", ".") do
        digits[byte(digit)] = tonumber(digit, 16)
    end
end

local FORM = "it must be like: alice.laptop sha256:<64 hex digits> expires=2027-01-01T00:00:00Z"
local UNKNOWN = "after the hash only not_before=<time>, expires=<time>, created=<time>, last4=<four characters>, "
    .. "guessable=yes and in_path=yes may follow, each once, with times such as 2027-01-01T00:00:00Z"

local _M = { PLAIN_TEXT = PLAIN_TEXT }
local methods = {}
local sum = ffi.new("uint8_t[32]")

-- The first place from `from` to `to` whose byte is of none of these kinds.
local function past(bytes, from, to, kind)
    while from < to and band(kinds[bytes[from]], kind) ~= 0 do
        from = from + 1
    end
    return from
end

local function end_of_word(bytes, from, to)
    while from < to and band(kinds[bytes[from]], SPACE) == 0 do
        from = from + 1
    end
    return from
end

local function has(bytes, from, to, prefix)
    return to - from >= #prefix and C.memcmp(bytes + from, prefix, #prefix) == 0
end

-- Returns true; or nil and an error.
local function add(self, hash, name, client_length, id_length, guessable, in_path, not_before, expires)
    local entry = self.index:add(hash)
    if not entry then
        return nil, "an earlier line has the same key"
    end
    entry.name, entry.client_length, entry.id_length = name, client_length, id_length
    entry.not_before, entry.expires = not_before, expires
    entry.guessable, entry.in_path = guessable and 1 or 0, in_path and 1 or 0
    return true
end

-- A client's name may hold dots, a key's id may not: the last dot parts them. Returns its place.
local function dot_of_name(bytes, from, to)
    if to - from > #OLD and has(bytes, to - #OLD, to, OLD) then
        to = to - #OLD
    end
    local dot = to - 1
    while dot > from and bytes[dot] ~= DOT do
        dot = dot - 1
    end
    if dot > from and dot + 1 < to
        and band(kinds[bytes[from]], FIRST) ~= 0 and past(bytes, from, dot, NAME) == dot
        and band(kinds[bytes[dot + 1]], FIRST) ~= 0 and past(bytes, dot + 1, to, ID) == to then
        return dot
    end
    return nil, "it must begin with <client>.<key id>"
end

local function plain_text_key(self, bytes, from, to)
    local text = ffi_string(bytes + from, to - from)
    if not find(text, "^[%w%-._~+/]+=*$") then
        return nil, "a key in plain text may hold letters, digits and -._~+/ only, with = at its end"
    end
    -- What is left of a line that lost the rest must not become a key.
    if #text < SHORTEST then
        return nil, "a key in plain text must have at least " .. SHORTEST .. " characters"
    end
    if find(text, NAME_CUT) and find(text, "[.~]") then
        return nil, "it has the name of a key and no hash"
    end
    -- No id: the key has no name either. Nobody knows how hard it is to guess.
    return add(self, digest.sha256(text, 0), 0, 0, 0, true, false, -HUGE, HUGE)
end

-- Reads "sha256:<64 digits>" into `sum`.
local function read_hash(bytes, from, to)
    if to - from ~= 71 or not has(bytes, from, to, "sha256:") then
        return nil, FORM
    end
    for i = 0, 31 do
        local high, low = digits[bytes[from + 7 + 2 * i]], digits[bytes[from + 8 + 2 * i]]
        if high > 15 or low > 15 then
            return nil, FORM
        end
        sum[i] = 16 * high + low
    end
    return true
end

local function time_after(bytes, from, to, prefix)
    if to - from == #prefix + TIME_LENGTH and has(bytes, from, to, prefix) then
        return timestamps.at(bytes + from + #prefix)
    end
end

-- Reads what follows the hash. Returns the two times that count, whether the key can be guessed, and whether it may
-- stand in a path; or nil and an error.
local function attributes(bytes, from, to)
    local not_before, expires, created, last4, guessable, in_path
    from = past(bytes, from, to, SPACE)
    while from < to do
        local stop = end_of_word(bytes, from, to)
        local time = not expires and time_after(bytes, from, stop, "expires=")
        if time then
            expires = time
        else
            time = not not_before and time_after(bytes, from, stop, "not_before=")
            if time then
                not_before = time
            elseif not created and time_after(bytes, from, stop, "created=") then
                created = true
            elseif not last4 and stop - from == #LAST4 + 4 and has(bytes, from, stop, LAST4) then
                last4 = true
            elseif not guessable and stop - from == #GUESSABLE and has(bytes, from, stop, GUESSABLE) then
                guessable = true
            elseif not in_path and stop - from == #IN_PATH and has(bytes, from, stop, IN_PATH) then
                in_path = true
            else
                -- Not skipped: what we do not understand may have been meant to shut somebody out.
                return nil, UNKNOWN
            end
        end
        from = past(bytes, stop, to, SPACE)
    end
    -- The end of a secret stands only where the rest is beyond guessing. Of others nobody said so.
    return not_before or -HUGE, expires or HUGE, guessable or not last4, in_path
end

-- Reads what stands from `from` to `to`, without space at its ends. Returns true; or nil and an error.
local function read_record(self, bytes, from, to)
    local stop = end_of_word(bytes, from, to)
    if stop == to then
        return plain_text_key(self, bytes, from, to)
    end
    local hash = past(bytes, stop, to, SPACE)
    local behind = end_of_word(bytes, hash, to)
    local ok, err = read_hash(bytes, hash, behind)
    local dot, not_before, expires, guessable, in_path
    if ok then
        dot, err = dot_of_name(bytes, from, stop)
    end
    if dot then
        not_before, expires, guessable, in_path = attributes(bytes, behind, to)
        err = expires
    end
    if not not_before then
        return nil, err
    end
    return add(self, sum, from, dot - from, stop - dot - 1, guessable, in_path, not_before, expires)
end

local function end_of_line(bytes, from, to)
    local newline = C.memchr(bytes + from, NEWLINE, to - from)
    return newline ~= nil and tonumber(cast(BYTES, newline) - bytes) or to
end

local function count_lines(bytes, length)
    local count, position = 0, 0
    while position < length do
        count, position = count + 1, end_of_line(bytes, position, length) + 1
    end
    return count
end

-- Returns what is known of the key that stands in `text` behind its first `skipped` bytes: {client, key, not_before,
-- expires, guessable, in_path}, the times in seconds since 1970; or nil. Not to be changed.
function methods:find(text, skipped)
    local number = self.index:find(digest.sha256(text, skipped))
    if not number then
        return nil
    end
    return self.entries[number] or self:entry(number)
end

-- Made when it is first asked for.
function methods:entry(number)
    local record = self.index.records[number]
    local client, key
    if record.id_length > 0 then
        local name = cast(BYTES, self.text) + record.name
        client = ffi_string(name, record.client_length)
        key = ffi_string(name + record.client_length + 1, record.id_length)
    else
        client, key = PLAIN_TEXT, "sha256:" .. digest.hex(record.digest, 4)
    end
    local entry = {
        client = client,
        key = key,
        not_before = record.not_before,
        expires = record.expires,
        guessable = record.guessable ~= 0,
        in_path = record.in_path ~= 0,
    }
    self.entries[number] = entry
    return entry
end

local function is_of(self, record, client)
    return record.client_length == #client
        and C.memcmp(cast(BYTES, self.text) + record.name, client, #client) == 0
end

-- What a line says of itself: {entry, last4, created, not_before, expires}, the last four as texts; nil where it does
-- not say.
local function described(self, number)
    local line = match(self.text, "[^\n]*", self.index.records[number].name + 1)
    return {
        entry = self.entries[number] or self:entry(number),
        last4 = match(line, "%slast4=(%S+)"),
        created = match(line, "%screated=(%S+)"),
        not_before = match(line, "%snot_before=(%S+)"),
        expires = match(line, "%sexpires=(%S+)"),
    }
end

-- The keys of a client, in the order of the file, the first thousand; none of those in plain text, which belong to
-- nobody. Not to be changed.
function methods:of(client)
    if self.lists[client] then
        return self.lists[client]
    end
    local list, records = {}, self.index.records
    for number = 0, self.index.count - 1 do
        if #list < MOST_LISTED and is_of(self, records[number], client) then
            list[#list + 1] = described(self, number)
        end
    end
    self.lists[client] = list
    return list
end

-- Reads lines from a position on, as many as are read in a turn. Returns the position behind them and their count; or
-- nil, the count and an error. Nothing in here waits: LuaJIT would compile none of it.
local function read_lines(self, bytes, position, length)
    local count = 0
    while position < length and count < LINES_A_TURN do
        count = count + 1
        local to = end_of_line(bytes, position, length)
        local from = past(bytes, position, to, SPACE)
        position = to + 1
        if from < to and bytes[from] ~= HASH then
            -- Of a file that was cut, the last line may lack its end, and with that the time at which a key expires.
            if to == length then
                return nil, count, "the newline at its end is missing, and so may be the rest of it"
            end
            while band(kinds[bytes[to - 1]], SPACE) ~= 0 do
                to = to - 1
            end
            local ok, err = read_record(self, bytes, from, to)
            if not ok then
                return nil, count, err
            end
        end
    end
    return position, count
end

-- Returns the keys; or nil and an error. `pause`: called every now and then while many lines are read.
function _M.parse(text, pause)
    local bytes, length = cast(BYTES, text), #text
    local self = { text = text, entries = {}, lists = {}, index = key_index.new(count_lines(bytes, length)) }
    local number, position = 0, 0
    while position < length do
        local count, err
        position, count, err = read_lines(self, bytes, position, length)
        number = number + count
        if not position then
            return nil, "failed to read line " .. number .. ": " .. err
        end
        if pause and position < length then
            pause()
        end
    end
    return setmetatable(self, { __index = methods })
end

return _M
