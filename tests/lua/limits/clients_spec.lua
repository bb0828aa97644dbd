-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local keyfile = require "gatehouse.keyfile"
local rights = require "gatehouse.rights"

local function file(limits_by_client)
    local parts = {}
    for client, limits in pairs(limits_by_client) do
        parts[#parts + 1] = ('"%s": {"scopes": [], "models": ["*"]%s}'):format(client,
            limits and ', "limits": ' .. limits or "")
    end
    return rights.parse("{" .. table.concat(parts, ", ") .. "}")
end

describe("the limits of a client", function()
    it("are what the file says of it", function()
        local limits = assert(file({ alice = '{"requests_per_minute": 60, "concurrent_requests": 4, '
            .. '"tokens_per_minute": 20000, "tokens_per_day": 1000000000000, "max_context": 16384, "keep_alive": 0}' }))
            :limits("alice")
        assert.are.same({ requests_per_minute = 60, concurrent_requests = 4, tokens_per_minute = 20000,
            tokens_per_day = 10 ^ 12, max_context = 16384, keep_alive = 0, models = {} }, limits)
    end)

    it("hold for models of patterns, which come in one order", function()
        local models = assert(file({ alice = '{"models": {"llama3.3*": {"tokens_per_day": 2}, '
            .. '"*": {"concurrent_requests": 1}, "tiny": {}}}' })):limits("alice").models
        assert.are.equal(2, #models)
        assert.are.equal("*", models[1].pattern)
        assert.are.same({ concurrent_requests = 1 }, models[1].limits)
        assert.are.same({ tokens_per_day = 2 }, models[2].limits)
        assert.is_true(models[2].matcher("llama3.3:70b"))
        assert.is_false(models[2].matcher("llama3.1"))
        assert.is_true(models[1].matcher(""))
    end)

    it("are none if it has none, or empty ones", function()
        local clients = assert(file({ alice = false, bob = "{}", carol = '{"models": {}}',
            dave = '{"models": {"a": {}}}', ["*"] = '{"keep_alive": 1}' }))
        for _, client in ipairs({ "alice", "bob", "carol", "dave" }) do
            assert.is_nil(clients:limits(client), client)
        end
    end)

    it("are those of the others if the file does not name it, also of keys in plain text", function()
        local clients = assert(file({ alice = false, ["*"] = '{"keep_alive": 1}' }))
        assert.are.equal(1, clients:limits("somebody").keep_alive)
        assert.are.equal(1, clients:limits(keyfile.PLAIN_TEXT).keep_alive)
        assert.is_nil(clients:limits("alice"))
        clients = assert(file({ alice = '{"keep_alive": 1}' }))
        assert.is_nil(clients:limits("somebody"))
        assert.is_nil(clients:limits(keyfile.PLAIN_TEXT))
    end)

    it("are one object for all who have the same, and another for all others", function()
        local limits = '{"keep_alive": 1, "models": {"a": {"tokens_per_day": 2}, "b": {"tokens_per_day": 3}}}'
        local clients = assert(file({ alice = limits, bob = '{"models": {"b": {"tokens_per_day": 3}, '
            .. '"a": {"tokens_per_day": 2}}, "keep_alive": 1}', carol = (limits:gsub("2", "4")),
            dave = (limits:gsub("keep_alive", "max_context")), erin = (limits:gsub('"a"', '"c"')) }))
        assert.are.equal(clients:limits("alice"), clients:limits("bob"))
        for _, client in ipairs({ "carol", "dave", "erin" }) do
            assert.are_not.equal(clients:limits("alice"), clients:limits(client))
        end
        assert.are.equal(clients:limits("alice").models[2].matcher, clients:limits("erin").models[1].matcher)
    end)

    it("make the whole file one that is not read if they are damaged", function()
        for _, limits in ipairs({ "null", "1", '"60"', "true", "[1]", '{"requests": 1}', '{"Keep_alive": 1}',
            '{"keep_alive": -1}', '{"keep_alive": "30m"}', '{"keep_alive": null}', '{"keep_alive": 1.5}',
            '{"tokens_per_day": 0}', '{"tokens_per_day": -1}', '{"tokens_per_day": 1000000000001}',
            '{"tokens_per_day": 1e999}', '{"tokens_per_day": NaN}', '{"tokens_per_day": {}}',
            '{"tokens_per_day": true}',
            '{"models": 1}', '{"models": null}', '{"models": [{"tokens_per_day": 1}]}', '{"models": {"a": 1}}',
            '{"models": {"": {"tokens_per_day": 1}}}', '{"models": {"a": {"keep_alive": 1}}}',
            '{"models": {"a": {"models": {}}}}', '{"models": {"a": {"tokens_per_day": 0}}}',
            '{"models": {"a": {"tokens_per_day": null}}}' }) do
            local clients, err = file({ alice = limits, bob = false })
            assert.is_nil(clients, limits)
            assert.is_truthy(err:find("failed to read a client: its limits", 1, true)
                or err:find("failed to read a client: it has a limit", 1, true), err)
        end
    end)

    it("of 10,000 clients are read in a fraction of a second", function()
        local clients = {}
        for i = 1, 10000 do
            clients["client" .. i] = { scopes = { "inference" }, models = { "*" }, limits = {
                requests_per_minute = i % 7 + 1, models = { ["llama*"] = { tokens_per_day = i % 5 + 1 } } } }
        end
        local text = cjson.encode(clients)
        local begun = os.clock()
        assert(rights.parse(text))
        assert.is_true(os.clock() - begun < 1)
    end)
end)
