-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"
local keyfile = require "gatehouse.keyfile"

local A, B = ("a"):rep(64), ("b"):rep(64)

local function refused(text, line)
    local keys, err = keyfile.parse(text)
    assert.is_nil(keys)
    assert.is_truthy(err:find("line " .. line .. ":", 1, true), err)
    return err
end

describe("the key file", function()
    it("has one record a line, among comments and empty lines", function()
        local keys = keyfile.parse("# keys\n\nalice.laptop sha256:" .. A .. "\n  # more\n"
            .. "bob.ci-1\tsha256:" .. B .. "  expires=2027-01-01T00:00:00Z\n")
        assert.are.same({
            [A] = { client = "alice", key = "laptop" },
            [B] = { client = "bob", key = "ci-1", expires = 1798761600 },
        }, keys)
    end)

    it("may be empty: nobody is let in", function()
        assert.are.same({}, keyfile.parse(""))
        assert.are.same({}, keyfile.parse("# nobody\n"))
    end)

    it("may lack the last newline and have line ends of another system", function()
        assert.are.equal("alice", keyfile.parse("a.b sha256:" .. B .. "\r\nalice.x sha256:" .. A)[A].client)
    end)

    it("parts the client from the key's id at the last dot", function()
        assert.are.same({ client = "alice.b", key = "c" }, keyfile.parse("alice.b.c sha256:" .. A)[A])
    end)

    it("takes digits of either case", function()
        assert.is_table(keyfile.parse("alice.b sha256:" .. A:upper())[A])
    end)

    it("serves a single word as a key in plain text", function()
        local keys = keyfile.parse("my-secret-api-key-1\n  admin-key-abcdef  \n")
        local hash = digest.sha256("my-secret-api-key-1")
        assert.are.equal("(plain text)", keys[hash].client)
        assert.are.equal("sha256:" .. hash:sub(1, 8), keys[hash].key)
        assert.is_table(keys[digest.sha256("admin-key-abcdef")])
    end)

    it("may hold several keys of the same name", function()
        local keys = keyfile.parse("alice.b sha256:" .. A .. "\nalice.b sha256:" .. B)
        assert.are.same(keys[A], keys[B])
    end)

    it("is refused as a whole for one damaged line, which is named by its number", function()
        local good = "alice.laptop sha256:" .. A .. "\n"
        for _, line in ipairs {
            "alice.laptop sha256:" .. B:sub(2),
            "alice.laptop sha256:" .. B .. "b",
            "alice.laptop sha256:" .. B:sub(2) .. "x",
            "alice.laptop sha1:" .. B,
            "alice sha256:" .. B,
            "alice. sha256:" .. B,
            ".laptop sha256:" .. B,
            "Alice.laptop sha256:" .. B,
            "alice.lap:top sha256:" .. B,
            "alice.laptop sha256:" .. B .. "expires=2027-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " expires=2027-02-30T00:00:00Z",
            "alice.laptop sha256:" .. B .. " expires=",
            "alice.laptop sha256:" .. B .. " not_before=2027-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " expires=2027-01-01T00:00:00Z expires=2028-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " # note",
            "two words",
            "sha256:" .. B,
            "pass\0word",
            "wörd",
            "\239\187\191key",
        } do
            refused(good .. line .. "\n", 2)
        end
    end)

    it("is refused when one key stands for two", function()
        refused("a.b sha256:" .. A .. "\nc.d sha256:" .. A, 2)
        refused("word\na.b sha256:" .. digest.sha256("word"), 2)
    end)

    it("never shows a line in an error", function()
        assert.is_nil(refused("top secret", 1):find("secret", 1, true))
    end)
end)
