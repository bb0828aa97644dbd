-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local authorization = require "gatehouse.authorization"

local function refused(header, scheme)
    local credential, err, tried = authorization.parse(header)
    assert.is_nil(credential)
    assert.is_string(err)
    assert.are.equal(scheme, tried)
end

describe("the Authorization header", function()
    it("gives the key of Bearer, whatever the case of the scheme", function()
        for _, scheme in ipairs { "Bearer", "bearer", "BEARER", "bEaReR" } do
            assert.are.same({ scheme = "bearer", key = "k-1._~+/==" }, authorization.parse(scheme .. " k-1._~+/=="))
        end
    end)

    it("may have several spaces after the scheme", function()
        assert.are.equal("k", authorization.parse("Bearer   k").key)
    end)

    it("gives the user and password of Basic, split at the first colon", function()
        -- alice:open:sesame
        assert.are.same({ scheme = "basic", user = "alice", password = "open:sesame" },
            authorization.parse("basic YWxpY2U6b3BlbjpzZXNhbWU="))
    end)

    it("takes an empty password and one that is not ASCII", function()
        assert.are.equal("", authorization.parse("Basic Ym9iOg==").password)
        assert.are.equal("pässwörd", authorization.parse("Basic Ym9iOnDDpHNzd8O2cmQ=").password)
    end)

    it("is refused when it is missing or empty", function()
        refused(nil)
        refused("")
    end)

    it("is refused with anything before or after the credential", function()
        refused("Foo Bearer k", "foo")
        refused(" Bearer k", "")
        refused("Bearer k x", "bearer")
        refused("Bearer k ", "bearer")
        refused("Bearer k\t", "bearer")
        refused("Bearer\tk", "bearer")
        refused("Bearer k\0", "bearer")
        refused("Bearer k, Bearer k", "bearer")
        refused("Bearer k,Bearer k", "bearer")
        refused("Bearer k,", "bearer")
        refused("Bearer", "bearer")
        refused("Bearer ", "bearer")
        refused("Bearerk", "bearerk")
        refused("Bearer =", "bearer")
        refused("Bearer k=k", "bearer")
        refused('Bearer "k"', "bearer")
        refused("Bearer kéy", "bearer")
    end)

    it("is refused with another scheme", function()
        refused("Digest k")
        refused("Negotiate YWxpY2U6eA==")
    end)

    it("is refused when Basic is not padded base64", function()
        refused("Basic YWxpY2U6eA", "basic")
        refused("Basic YWxpY2U6eA=", "basic")
        refused("Basic YWxp-2U6eA==", "basic")
        refused("Basic ====", "basic")
        refused("Basic YQ==YQ==", "basic")
    end)

    it("is refused when Basic has no colon, no user or a control character", function()
        refused("Basic YWxpY2U=", "basic") -- alice
        refused("Basic OnNlY3JldA==", "basic") -- :secret
        refused("Basic YWxpY2U6cGFzcwBqdW5r", "basic") -- alice:pass\0junk
        refused("Basic YWxpY2U6cGFzcwo=", "basic") -- alice:pass\n
    end)
end)
