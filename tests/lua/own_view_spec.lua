-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local own_view = require "gatehouse.own_view"

local function seen(changes)
    local about = { client = "alice", key = "laptop", time = 1798761600, scopes = {}, models = { "*" }, state = {},
        keys = {}, used = { days = {}, since = "2026-12-03", is_complete = true } }
    for name, value in pairs(changes or {}) do
        about[name] = value
    end
    local text = own_view.text(about)
    return assert(cjson.decode(text), text), text
end

describe("the own view", function()
    it("has lists where nothing is in them, and null where there is nothing", function()
        local _, text = seen({ key = "" })
        assert.are.equal('{"client":"alice","key":null,"time":"2027-01-01T00:00:00Z","scopes":[],"models":["*"],'
            .. '"limits":[],"keys":[],"usage":{"since":"2026-12-03","is_complete":true,"days":[]}}\n', text)
        assert.are.equal(cjson.null, seen({ used = false }).usage)
    end)

    it("has limits with what is left of them, and those of which nothing is used up", function()
        local limits = seen({
            limits = { tokens_per_day = 10, max_context = 4096, models = {} },
            state = { { name = "tokens_per_day", limit = 10, used = 4, remaining = 6, reset = 60 },
                { name = "tokens_per_day", model = "a*", limit = 5, used = 5, remaining = 0, reset = 60 } },
        }).limits
        assert.are.same({
            { name = "tokens_per_day", model = cjson.null, limit = 10, used = 4, remaining = 6, reset_seconds = 60 },
            { name = "tokens_per_day", model = "a*", limit = 5, used = 5, remaining = 0, reset_seconds = 60 },
            { name = "max_context", model = cjson.null, limit = 4096 },
        }, limits)
    end)

    it("says of each key whether it counts now", function()
        local function key(not_before, expires)
            return { entry = { key = "k", in_path = true, not_before = not_before, expires = expires },
                last4 = "abcd", expires = "2027-01-01T00:00:00Z" }
        end
        local keys = seen({ keys = { key(-math.huge, math.huge), key(1798761601, math.huge),
            key(-math.huge, 1798761600) } }).keys
        assert.are.same({ true, false, false }, { keys[1].is_valid, keys[2].is_valid, keys[3].is_valid })
        assert.are.same({ id = "k", last4 = "abcd", created = cjson.null, not_before = cjson.null,
            expires = "2027-01-01T00:00:00Z", in_path = true, is_valid = true }, keys[1])
    end)
end)
