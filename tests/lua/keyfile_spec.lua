-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"
local keyfile = require "gatehouse.keyfile"

local function sha256(text)
    return digest.hex(digest.sha256(text, 0), 32)
end

-- Two keys and what the file has of them.
local ONE, TWO = "key-one", "key-two"
local A, B = sha256(ONE), sha256(TWO)
local ALWAYS = { -math.huge, math.huge }

local function entry(client, key, times, strong)
    times = times or ALWAYS
    return { client = client, key = key, not_before = times[1], expires = times[2], guessable = not strong,
        in_path = false }
end

local function find(text, key)
    return assert(keyfile.parse(text .. "\n")):find(key, 0)
end

local function refused(text, line)
    local keys, err = keyfile.parse(text .. "\n")
    assert.is_nil(keys)
    assert.is_truthy(err:find("line " .. line .. ":", 1, true), err)
    return err
end

describe("the key file", function()
    it("says which keys may stand in a path, and no other may", function()
        local text = "a.b sha256:" .. A .. " last4=abcd in_path=yes\na.c sha256:" .. B .. " last4=abcd"
        assert.is_true(find(text, ONE).in_path)
        assert.is_false(find(text, TWO).in_path)
        assert.is_false(find("plain-text-key", "plain-text-key").in_path)
    end)

    it("lists the keys of a client as their lines have them, and nobody else's", function()
        local keys = assert(keyfile.parse("plain-text-key\na.b sha256:" .. A
            .. " expires=2027-01-01T00:00:00Z created=2026-01-01T00:00:00Z last4=abcd\nab.c sha256:" .. B .. "\n"))
        local list = keys:of("a")
        assert.are.same({ { entry = keys:find(ONE, 0), last4 = "abcd", created = "2026-01-01T00:00:00Z",
            expires = "2027-01-01T00:00:00Z" } }, list)
        assert.are.same({ { entry = keys:find(TWO, 0) } }, keys:of("ab"))
        for _, nobody in ipairs({ "b", "(plain text)", "a.b" }) do
            assert.are.same({}, keys:of(nobody))
        end
    end)

    it("has one record a line, among comments and empty lines", function()
        local text = "# keys\n\nalice.laptop sha256:" .. A .. "\n  # more\n"
            .. "bob.ci-1\tsha256:" .. B .. "  expires=2027-01-01T00:00:00Z\n"
        assert.are.same(entry("alice", "laptop"), find(text, ONE))
        assert.are.same(entry("bob", "ci-1", { -math.huge, 1798761600 }), find(text, TWO))
        assert.is_nil(find(text, "another"))
    end)

    it("knows when a key begins to count and when it ends, among what people want to know of it", function()
        local times = "not_before=2026-01-01T00:00:00Z created=2025-12-24T12:00:00Z last4=ab-_"
            .. " expires=1970-01-01T00:00:00Z"
        local text = "a.b sha256:" .. A .. " " .. times
        assert.are.same(entry("a", "b", { 1767225600, 0 }, true), find(text, ONE))
    end)

    it("keeps the key that a rotation replaced apart from its successor", function()
        local text = "a.b sha256:" .. A .. "\na.b~old sha256:" .. B .. " expires=2027-01-01T00:00:00Z"
        assert.are.equal("b", find(text, ONE).key)
        assert.are.equal("b~old", find(text, TWO).key)
        assert.are.equal("a", find(text, TWO).client)
    end)

    it("may be empty: nobody is let in", function()
        for _, text in ipairs({ "", "\n", "# nobody\n", "  \n#" }) do
            assert.is_nil(find(text, ONE))
            assert.is_nil(find(text, ""))
        end
    end)

    it("is not whole without the newline at its end, behind whatever it was cut", function()
        local line = "a.b sha256:" .. A .. " expires=2027-01-01T00:00:00Z last4=abcd"
        for length = 1, #line do
            local keys, err = keyfile.parse("a.c sha256:" .. B .. "\n" .. line:sub(1, length))
            assert.is_nil(keys)
            assert.are.equal("failed to read line 2: the newline at its end is missing, and so may be the rest of it",
                err)
        end
        assert(keyfile.parse("a.c sha256:" .. B .. "\n# a comment"))
    end)

    it("may have line ends of another system", function()
        assert.are.equal("alice", find("a.b sha256:" .. B .. "\r\nalice.x sha256:" .. A, ONE).client)
    end)

    it("marks keys that can be guessed", function()
        local text = "a.b sha256:" .. A .. " expires=2027-01-01T00:00:00Z guessable=yes created=2026-01-01T00:00:00Z"
            .. "\na.c sha256:" .. B .. " last4=abcd"
        assert.is_true(find(text, ONE).guessable)
        assert.is_false(find(text, TWO).guessable)
        assert.is_true(find("a.b sha256:" .. A, ONE).guessable)
        assert.is_true(find("a.b sha256:" .. A .. " last4=abcd guessable=yes", ONE).guessable)
    end)

    it("takes nothing for a key that is left of a line or too short for a secret", function()
        for _, line in ipairs {
            "alice.laptop", "alice.laptop~old", "a.b", "a.very.long.client-name.key_1", "a", "laptop", "1234567",
            "dave-the-builder.", "dave-the-builder.laptop~", "dave-the-builder.laptop~ol",
            "abcde==", "alice.laptop sha256:", "alice.laptop sha256", "sha256:" .. B, "guessable=yes", "last4=abcd",
            "expires=2027-01-01T00:00:00Z", "alice.laptop expires=2027-01-01T00:00:00Z",
        } do
            refused("alice.laptop sha256:" .. A .. "\n" .. line .. "\n", 2)
        end
        assert.is_table(find("Alice.laptop", "Alice.laptop"))
        assert.is_table(find("12345678", "12345678"))
    end)

    it("parts the client from the key's id at the last dot", function()
        assert.are.same(entry("alice.b", "c"), find("alice.b.c sha256:" .. A, ONE))
    end)

    it("takes digits of either case", function()
        assert.is_table(find("alice.b sha256:" .. A:upper(), ONE))
    end)

    it("serves a single word as a key in plain text", function()
        local text = "my-secret-api-key-1\n  admin-key-abcdef==  \n"
        assert.are.same(entry("(plain text)", "sha256:" .. sha256("my-secret-api-key-1"):sub(1, 8)),
            find(text, "my-secret-api-key-1"))
        assert.is_table(find(text, "admin-key-abcdef=="))
        assert.is_nil(find(text, "admin-key-abcdef"))
    end)

    it("may hold several keys of the same name", function()
        local text = "alice.b sha256:" .. A .. "\nalice.b sha256:" .. B
        assert.are.same(find(text, ONE), find(text, TWO))
    end)

    it("finds each of many keys, and no other", function()
        local lines = {}
        for i = 1, 5000 do
            lines[i] = "client-" .. i .. ".key sha256:" .. sha256("secret " .. i)
        end
        local keys = assert(keyfile.parse(table.concat(lines, "\n") .. "\n"))
        for i = 1, 5000 do
            assert.are.equal("client-" .. i, keys:find("secret " .. i, 0).client)
            assert.is_nil(keys:find("no secret " .. i, 0))
        end
    end)

    it("lets others have their turn while many lines are read", function()
        local turns = 0
        assert(keyfile.parse(("# a comment\n"):rep(10000), function() turns = turns + 1 end))
        assert.are.equal(4, turns)
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
            "alice.laptop sha256:" .. B .. " not-before=2027-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " not_before=2027-01-01T00:00:00Z not_before=2027-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " created=today",
            "alice.laptop sha256:" .. B .. " created=2027-01-01T00:00:00Z created=2027-01-01T00:00:00Z",
            "alice.laptop sha256:" .. B .. " last4=12345",
            "alice.laptop sha256:" .. B .. " guessable=no",
            "alice.laptop sha256:" .. B .. " guessable",
            "alice.laptop sha256:" .. B .. " in_path=no",
            "alice.laptop sha256:" .. B .. " in_path=yes in_path=yes",
            "alice.laptop sha256:" .. B .. " guessable=yes guessable=yes",
            "alice.laptop sha256:" .. B .. " last4=1234 last4=1234",
            "alice.laptop sha256:" .. B .. " expires=2027-01-01T00:00:00Zx",
            "alice.~old sha256:" .. B,
            "~old sha256:" .. B,
            "alice.laptop~new sha256:" .. B,
            "alice.~laptop sha256:" .. B,
            "key=word",
            "=",
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
        refused("long-word\na.b sha256:" .. sha256("long-word"), 2)
    end)

    it("never shows a line in an error", function()
        assert.is_nil(refused("top secret", 1):find("secret", 1, true))
    end)
end)
