-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local choice = require "gatehouse.doors.choice"

describe("the choice of a server", function()
    local own

    local function door(number, more)
        local one = { number = number, up = true, draining = false, aside = 0, others = 0, capacity = 1, warm = {},
            loaded = 0 }
        for key, value in pairs(more or {}) do
            one[key] = value
        end
        return one
    end

    local function choose(doors, more)
        local wish = {
            model = "a:latest",
            loading = {},
            penalty = 4,
            own = function(number) return own[number] or 0 end,
            tried = {},
            now = 100,
        }
        for key, value in pairs(more or {}) do
            wish[key] = value
        end
        local found, loads = choice.choose(doors, wish)
        return found and found.number, loads
    end

    local WARM = { ["a:latest"] = true }

    before_each(function()
        own = {}
    end)

    it("is the least busy one, by what it can do at once", function()
        assert.are.equal(2, choose({ door(1, { others = 2 }), door(2, { others = 1 }), door(3, { others = 3 }) }))
        assert.are.equal(1, choose({ door(1, { others = 3, capacity = 4 }), door(2, { others = 1 }) }))
    end)

    it("counts what this gateway has there", function()
        own = { 3, 0 }
        assert.are.equal(2, choose({ door(1), door(2, { others = 2 }) }))
    end)

    it("is one that has the model loaded, until that is much busier", function()
        assert.are.same({ 2, false }, { choose({ door(1), door(2, { warm = WARM, others = 4 }) }) })
        assert.are.same({ 1, true }, { choose({ door(1), door(2, { warm = WARM, others = 5 }) }) })
    end)

    it("takes a model that is just being loaded for loaded", function()
        assert.are.same({ 2, false }, { choose({ door(1), door(2) }, { loading = { [2] = true } }) })
    end)

    it("has a model loaded where fewer are, of those that are as busy", function()
        assert.are.equal(2, choose({ door(1, { loaded = 2 }), door(2, { loaded = 1 }), door(3, { loaded = 3 }) }))
    end)

    it("looks at nothing but how busy they are with a penalty of 0", function()
        assert.are.equal(1, choose({ door(1), door(2, { warm = WARM, others = 1 }) }, { penalty = 0 }))
    end)

    it("is never one that drains, or was tried before", function()
        assert.are.equal(2, choose({ door(1, { draining = true }), door(2, { others = 9 }) }))
        assert.are.equal(2, choose({ door(1), door(2, { others = 9 }) }, { tried = { [1] = true } }))
        assert.is_nil((choose({ door(1, { draining = true }), door(2) }, { tried = { [2] = true } })))
        assert.is_nil((choose({})))
    end)

    it("is one that seems to be down only where there is no other", function()
        assert.are.equal(2, choose({ door(1, { up = false }), door(2, { others = 9, aside = 200 }) }))
        assert.are.equal(1, choose({ door(1, { up = false }), door(2, { draining = true }) }))
    end)

    it("is one that was put aside only where there is no other, and for no longer", function()
        assert.are.equal(2, choose({ door(1, { aside = 101, warm = WARM }), door(2, { others = 9 }) }))
        assert.are.equal(1, choose({ door(1, { aside = 101 }), door(2, { draining = true }) }))
        assert.are.equal(1, choose({ door(1, { aside = 100 }), door(2, { others = 1 }) }))
    end)

    it("is any of several that are alike", function()
        local seen = {}
        for _ = 1, 200 do
            seen[choose({ door(1), door(2), door(3, { others = 1 }), door(4) })] = true
        end
        assert.are.same({ [1] = true, [2] = true, [4] = true }, seen)
    end)
end)
