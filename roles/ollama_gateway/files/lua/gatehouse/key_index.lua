-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Keys by their SHA-256, in two blocks of memory that the garbage collector need not walk through: with 100,000 keys
-- a look costs the same as with two.

local bit = require "bit"
local ffi = require "ffi"

local band = bit.band
local C, cast, ffi_copy, ffi_new = ffi.C, ffi.cast, ffi.copy, ffi.new

-- `name` and the lengths say where a client's name and behind it the key's id stand in the text.
ffi.cdef [[
struct gatehouse_key {
    uint8_t digest[32];
    double not_before, expires;
    uint32_t name, client_length, id_length, guessable, in_path;
};
int memcmp(const void *one, const void *other, size_t length);
]]

local RECORDS = ffi.typeof("struct gatehouse_key[?]")
local SLOTS = ffi.typeof("uint32_t[?]")
local WORDS = ffi.typeof("const uint32_t *")

local _M = {}
local methods = {}

-- Where a digest begins to look for its record. A digest is as good as random.
local function first_slot(self, digest)
    return band(cast(WORDS, digest)[0], self.mask)
end

-- From a slot on: the one of this digest, or the free one that it would get.
local function probe(self, digest, slot)
    local slots, records = self.slots, self.records
    while slots[slot] ~= 0 and C.memcmp(records[slots[slot] - 1].digest, digest, 32) ~= 0 do
        slot = band(slot + 1, self.mask)
    end
    return slot
end

-- Returns the number of the key with this digest, from 0 on; or nil.
function methods:find(digest)
    local slot = first_slot(self, digest)
    local number = self.slots[slot]
    -- Mostly the first look tells. No loop here: LuaJIT compiles what has none as one piece.
    if number ~= 0 and C.memcmp(self.records[number - 1].digest, digest, 32) ~= 0 then
        number = self.slots[probe(self, digest, slot)]
    end
    return number ~= 0 and number - 1 or nil
end

-- Returns the record that now stands for this digest, to be filled in; or nil if there is one already.
function methods:add(digest)
    local slot = probe(self, digest, first_slot(self, digest))
    if self.slots[slot] ~= 0 then
        return nil
    end
    local record = self.records[self.count]
    self.count = self.count + 1
    self.slots[slot] = self.count
    ffi_copy(record.digest, digest, 32)
    return record
end

-- For up to `capacity` keys.
function _M.new(capacity)
    local size = 16
    while size < 2 * capacity do
        size = 2 * size
    end
    return setmetatable({
        records = ffi_new(RECORDS, capacity),
        slots = ffi_new(SLOTS, size),
        mask = size - 1,
        count = 0,
    }, { __index = methods })
end

return _M
