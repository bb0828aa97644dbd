-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local keyfile = require "gatehouse.keyfile"
local rights = require "gatehouse.rights"

local function file(scopes)
    return assert(rights.parse('{"alice": {"scopes": ' .. scopes .. ', "models": ["*"]}}'))
end

describe("what a client may do", function()
    it("lets whom the file does not name use the models of the others, and no more", function()
        local clients = assert(rights.parse('{"alice": {"scopes": ["inference"], "models": ["*"]}, '
            .. '"*": {"scopes": ["inference"], "models": ["tiny"]}}'))
        local may = clients:models("somebody")
        assert.is_true(may("tiny"))
        assert.is_false(may("other"))
        assert.is_nil(clients:models("alice"))
    end)

    it("is what its scopes say", function()
        local clients = file('["inference"]')
        assert.is_true(clients:allows("alice", "inference"))
        assert.is_true(clients:allows("alice", "any"))
        for _, scope in ipairs({ "models_read", "models_write", "admin", "account", "", "root" }) do
            assert.is_false(clients:allows("alice", scope), scope)
        end
    end)

    it("is everything with admin", function()
        for _, scope in ipairs({ "any", "inference", "models_read", "models_write", "admin", "account" }) do
            assert.is_true(file('["admin"]'):allows("alice", scope), scope)
        end
    end)

    it("is nothing for a client that the file does not name", function()
        assert.is_false(file('["admin"]'):allows("bob", "any"))
    end)

    it("is what the file says of others for a client that it does not name", function()
        local clients = assert(rights.parse('{"alice": {"scopes": [], "models": ["*"]}, '
            .. '"*": {"scopes": ["inference"], "models": ["*"]}}'))
        assert.is_true(clients:allows("bob", "inference"))
        assert.is_false(clients:allows("bob", "models_read"))
        assert.is_nil(clients:models("bob"))
        assert.is_false(clients:allows("alice", "inference"))
    end)

    it("is nothing for a client that is to be gone, whatever others may do", function()
        local clients = assert(rights.parse('{"alice": {"scopes": [], "models": ["*"], "absent": true}, '
            .. '"*": {"scopes": ["inference"], "models": ["*"]}}'))
        assert.is_false(clients:allows("alice", "any"))
        assert.is_false(clients:allows("alice", "inference"))
    end)

    it("is the default for a key in plain text", function()
        local clients = assert(rights.parse("{}"))
        assert.is_true(clients:allows(keyfile.PLAIN_TEXT, "inference"))
        assert.is_true(clients:allows(keyfile.PLAIN_TEXT, "models_read"))
        assert.is_false(clients:allows(keyfile.PLAIN_TEXT, "models_write"))
    end)

    it("is limited to models, unless they are all", function()
        local clients = assert(rights.parse('{"alice": {"scopes": ["admin"], "models": ["tiny"]}, '
            .. '"bob": {"scopes": ["admin"], "models": ["tiny", "*"]}}'))
        assert.is_true(clients:models("alice")("library/tiny:latest"))
        assert.is_false(clients:models("alice")("tiny-loop"))
        assert.is_nil(clients:models("bob"))
        assert.is_nil(clients:models(keyfile.PLAIN_TEXT))
    end)

    it("may be known by the subjects of certificates", function()
        local clients = assert(rights.parse(
            '{"alice": {"scopes": [], "models": ["*"], "certificates": ["CN=a", "CN=b"]}, '
            .. '"bob": {"scopes": [], "models": ["*"], "certificates": ["CN=bob"]}, '
            .. '"carol": {"scopes": [], "models": ["*"], "certificates": []}}'))
        assert.are.equal("alice", clients:with_certificate("CN=a"))
        assert.are.equal("alice", clients:with_certificate("CN=b"))
        assert.are.equal("bob", clients:with_certificate("CN=bob"))
        for _, subject in ipairs({ "", "CN=A", "CN=a ", "CN=carol", "CN" }) do
            assert.is_nil(clients:with_certificate(subject))
        end
        assert.is_nil(file('["admin"]'):with_certificate("CN=a"))
    end)

    it("is not read from a file in which it is unclear whose a certificate is", function()
        for _, certificates in ipairs({ '"CN=a"', "null", "1", "true", '{"CN": "a"}', "[1]", "[null]", '[["CN=a"]]',
            '[""]', '["CN=x", "CN=bob"]' }) do
            local value, err = rights.parse('{"alice": {"scopes": [], "models": ["*"], "certificates": ' .. certificates
                .. '}, "bob": {"scopes": [], "models": ["*"], "certificates": ["CN=bob"]}}')
            assert.is_nil(value, certificates)
            assert.is_truthy(err:find("certificates must be a list of subjects that no other client has", 1, true))
        end
    end)

    it("is not read from a file that it cannot understand as a whole", function()
        for _, text in ipairs({ "", "{", "1", '{"alice": 1}', '{"alice": {}}',
            '{"alice": {"models": ["*"], "scopes": "admin"}}',
            '{"alice": {"models": [], "scopes": ["admin"]}}', '{"alice": {"models": [1], "scopes": ["admin"]}}',
            '{"alice": {"models": ["*"], "scopes": ["root"]}}',
            '{"alice": {"models": ["*"], "scopes": {"admin": true}}}',
            '{"alice": {"models": ["*"], "scopes": [1]}}' }) do
            local value, err = rights.parse(text)
            assert.is_nil(value, text)
            assert.is_string(err)
        end
    end)
end)

describe("all limits", function()
    it("are those of the clients that have some, and of the others", function()
        local found = rights.parse('{"alice":{"scopes":[],"models":["*"],"limits":{"tokens_per_day":5}},'
            .. '"bob":{"scopes":[],"models":["*"]},'
            .. '"*":{"scopes":[],"models":["*"],"absent":true,"limits":{"tokens_per_day":1}}}'):limited()
        local limits = {}
        for client, of_client in pairs(found) do
            limits[client] = of_client.tokens_per_day
        end
        assert.are.same({ alice = 5, ["*"] = 1, ["(plain text)"] = 1 }, limits)
    end)
end)
