-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"
local password_memory = require "gatehouse.password_memory"
local shared_dict = dofile("tests/lua/shared_dict.lua")

local HEADER = "Basic YWxpY2U6c2VjcmV0"
local HASHES = { alice = "$6$salt$hash", bob = "$6$salt$other" }

describe("the memory of passwords", function()
    local dict, memory

    before_each(function()
        dict = shared_dict.new()
        memory = password_memory.new(dict, digest.hmac("a key"), 300)
    end)

    it("knows a header that was right, and no other", function()
        assert.is_nil(memory:recall(HEADER, HASHES))
        memory:remember(HEADER, "alice", HASHES.alice)
        assert.are.equal("alice", memory:recall(HEADER, HASHES))
        assert.is_nil(memory:recall(HEADER .. "=", HASHES))
        assert.is_nil(memory:recall("", HASHES))
    end)

    it("forgets it when its time is over", function()
        memory:remember(HEADER, "alice", HASHES.alice)
        dict.now = dict.now + 299
        assert.are.equal("alice", memory:recall(HEADER, HASHES))
        dict.now = dict.now + 1
        assert.is_nil(memory:recall(HEADER, HASHES))
    end)

    it("forgets it at once when the file has another hash for the user, or none", function()
        memory:remember(HEADER, "alice", HASHES.alice)
        assert.is_nil(memory:recall(HEADER, { alice = "$6$salt$new" }))
        assert.is_nil(memory:recall(HEADER, { bob = HASHES.alice }))
        assert.is_nil(memory:recall(HEADER, {}))
    end)

    it("may know users with a colon in their hash's neighbour", function()
        memory:remember(HEADER, "a:b", "$2y$hash")
        assert.are.equal("a:b", memory:recall(HEADER, { ["a:b"] = "$2y$hash" }))
    end)

    it("holds neither the header nor the password", function()
        memory:remember(HEADER, "alice", HASHES.alice)
        for key, entry in pairs(dict.entries) do
            assert.are.equal(32, #key)
            assert.is_nil((key .. entry.value):find("YWxpY2U6c2VjcmV0", 1, true))
            assert.is_nil((key .. entry.value):find("secret", 1, true))
        end
    end)

    it("means nothing to whoever has another key", function()
        memory:remember(HEADER, "alice", HASHES.alice)
        assert.is_nil(password_memory.new(dict, digest.hmac("another"), 300):recall(HEADER, HASHES))
    end)

    it("of no seconds is none", function()
        memory = password_memory.new(dict, digest.hmac("a key"), 0)
        memory:remember(HEADER, "alice", HASHES.alice)
        assert.are.same({}, dict.entries)
    end)
end)
