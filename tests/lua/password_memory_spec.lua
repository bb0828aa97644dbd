-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"
local password_memory = require "gatehouse.password_memory"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local HERE = "\127\0\0\1"
local HEADER = "Basic YWxpY2U6c2VjcmV0"
local HASHES = { alice = "$6$salt$hash", bob = "$6$salt$other" }

describe("the memory of passwords", function()
    local dict, memory

    before_each(function()
        dict = shared_dict.new()
        memory = password_memory.new(dict, digest.hmac("a key"), 300)
    end)

    local function remember(header, user, hash)
        memory:remember(memory:mark(HERE, header), user, hash, dict.now)
    end

    -- Returns the user, and whether no hash need be computed.
    local function recall(header, hashes, address)
        return memory:recall(memory:mark(address or HERE, header), hashes, dict.now)
    end

    it("knows a header that was right, and no other", function()
        assert.is_nil(recall(HEADER, HASHES))
        remember(HEADER, "alice", HASHES.alice)
        assert.are.same({ "alice", true }, { recall(HEADER, HASHES) })
        assert.is_nil(recall(HEADER .. "=", HASHES))
        assert.is_nil(recall("", HASHES))
    end)

    it("knows it from the address that presented it, and from no other", function()
        remember(HEADER, "alice", HASHES.alice)
        assert.is_nil(recall(HEADER, HASHES, "\127\0\0\2"))
        assert.is_nil(recall(HEADER, HASHES, HERE .. ("\0"):rep(12)))
    end)

    it("wants another hash when its time is over, and knows for a day that it is no guess", function()
        remember(HEADER, "alice", HASHES.alice)
        dict.now = dict.now + 299
        assert.are.same({ "alice", true }, { recall(HEADER, HASHES) })
        dict.now = dict.now + 1
        assert.are.same({ "alice", false }, { recall(HEADER, HASHES) })
        dict.now = dict.now + 86099
        assert.are.same({ "alice", false }, { recall(HEADER, HASHES) })
        dict.now = dict.now + 1
        assert.is_nil(recall(HEADER, HASHES))
    end)

    it("forgets it at once when the file has another hash for the user, or none", function()
        remember(HEADER, "alice", HASHES.alice)
        assert.is_nil(recall(HEADER, { alice = "$6$salt$new" }))
        assert.is_nil(recall(HEADER, { bob = HASHES.alice }))
        assert.is_nil(recall(HEADER, {}))
    end)

    it("may know users with a colon in their hash's neighbour", function()
        remember(HEADER, "a:b", "$2y$hash")
        assert.are.equal("a:b", (recall(HEADER, { ["a:b"] = "$2y$hash" })))
    end)

    it("knows keys that were right, which are nobody's password", function()
        local mark = memory:mark(HERE, "Bearer weak")
        assert.is_false(memory:knows_key(mark))
        memory:remember_key(mark)
        assert.is_true(memory:knows_key(mark))
        assert.is_false(memory:knows_key(memory:mark("\127\0\0\2", "Bearer weak")))
        assert.is_nil(recall("Bearer weak", HASHES))
        dict.now = dict.now + 86400
        assert.is_false(memory:knows_key(mark))
    end)

    it("holds neither the header nor the password", function()
        remember(HEADER, "alice", HASHES.alice)
        for key, entry in pairs(dict.entries) do
            assert.are.equal(32, #key)
            assert.is_nil((key .. entry.value):find("YWxpY2U6c2VjcmV0", 1, true))
            assert.is_nil((key .. entry.value):find("secret", 1, true))
        end
    end)

    it("means nothing to whoever has another key", function()
        remember(HEADER, "alice", HASHES.alice)
        memory = password_memory.new(dict, digest.hmac("another"), 300)
        assert.is_nil(recall(HEADER, HASHES))
    end)

    it("of no seconds wants a hash each time, and knows that it is no guess", function()
        memory = password_memory.new(dict, digest.hmac("a key"), 0)
        remember(HEADER, "alice", HASHES.alice)
        assert.are.same({ "alice", false }, { recall(HEADER, HASHES) })
    end)
end)
