-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local htpasswd = require "gatehouse.htpasswd"

local APR1 = "$apr1$salt$ABCDEFGHIJKLMNOPQRSTU."
local BCRYPT = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

describe("the password file", function()
    it("has one user a line, among comments and empty lines", function()
        local users = htpasswd.parse("# users\n\nalice:" .. APR1 .. "\nbob:" .. BCRYPT .. "\r\n")
        assert.are.same({ alice = APR1, bob = BCRYPT }, users.hashes)
    end)

    it("gives unknown users a hash like those of known ones", function()
        assert.are.equal(BCRYPT, htpasswd.parse("bob:" .. BCRYPT).stand_in("mallory"))
    end)

    it("gives unknown users hashes of all schemes that known ones have, and each always the same one", function()
        local text = "alice:" .. APR1 .. "\nbob:" .. BCRYPT .. "\ncarol:" .. BCRYPT .. "x"
        local one, other = htpasswd.parse(text), htpasswd.parse("# more\n" .. text)
        local seen = {}
        for i = 1, 600 do
            local hash = one.stand_in("nobody-" .. i)
            assert.are.equal(hash, other.stand_in("nobody-" .. i))
            seen[hash] = (seen[hash] or 0) + 1
        end
        for _, hash in ipairs({ APR1, BCRYPT, BCRYPT .. "x" }) do
            assert.is_true(seen[hash] > 150 and seen[hash] < 250)
        end
    end)

    it("decides about unknown users by what nobody knows", function()
        local function choices(first)
            local users, list = htpasswd.parse("a:" .. first .. "\nb:" .. BCRYPT), {}
            for i = 1, 20 do
                list[i] = users.stand_in("nobody-" .. i) == BCRYPT
            end
            return list
        end
        assert.are_not.same(choices(APR1), choices((APR1:gsub("A", "B"))))
    end)

    it("may be empty: unknown users still cost a hash", function()
        local users = htpasswd.parse("")
        assert.are.same({}, users.hashes)
        assert.is_truthy(users.stand_in("mallory"):find("^%$6%$"))
    end)

    it("is refused as a whole for one damaged line, which is named by its number", function()
        for _, line in ipairs {
            "bob", "bob:", ":" .. APR1, "bob:plain", "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "bob:abJnggxhB/yWI",
            "bo b:" .. APR1, "bob:" .. APR1 .. " x", "bob:" .. APR1 .. ":comment", "bob:*0", "alice:" .. BCRYPT,
        } do
            local users, err = htpasswd.parse("alice:" .. APR1 .. "\n" .. line .. "\n")
            assert.is_nil(users)
            assert.is_truthy(err:find("line 2:", 1, true), err)
        end
    end)

    it("never shows a line in an error", function()
        local _, err = htpasswd.parse("bob:hunter2")
        assert.is_nil(err:find("hunter2", 1, true))
    end)
end)
