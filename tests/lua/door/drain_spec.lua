-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local drain = require "door.drain"

-- A drain by a file that says what `file` has: a text, an error, or neither where there is none.
local function watched(file)
    local log = {}
    local looks = 0
    local it_is = drain.new(function()
        looks = looks + 1
        return file.text, file.err
    end, function(message)
        log[#log + 1] = message
    end)
    return it_is, log, function()
        return looks
    end
end

local HELD = '{"a": {"since": 10, "until": 4000000000}}'

describe("a drain", function()
    it("holds from when any span says until when it says, for years if need be", function()
        local it_is = watched({ text = '{"a": {"since": 10, "until": 20}, "b": {"since": 30, "until": 4000000000}}' })
        assert.is_false(it_is:holds(9.9))
        assert.is_true(it_is:holds(10))
        assert.is_true(it_is:holds(19.9))
        assert.is_false(it_is:holds(20))
        assert.is_true(it_is:holds(3999999999))
    end)

    it("is none where there is no file, and ends with it", function()
        local file = {}
        local it_is, log = watched(file)
        assert.is_false(it_is:holds(100))
        file.text = HELD
        assert.is_true(it_is:holds(101))
        file.text = nil
        assert.is_false(it_is:holds(102))
        assert.are.same({}, log)
    end)

    it("is looked at each fifth of a second, and also after the clock was set back", function()
        local file = {}
        local it_is, _, looks = watched(file)
        for _, now in ipairs({ 100, 100.1, 100.19 }) do
            it_is:holds(now)
        end
        assert.are.equal(1, looks())
        file.text = HELD
        assert.is_false(it_is:holds(100.19))
        assert.is_true(it_is:holds(100.2))
        it_is:holds(50)
        assert.are.equal(3, looks())
    end)

    it("stays what it was where the file cannot be read or understood, which is said once", function()
        local file = { text = HELD }
        local it_is, log = watched(file)
        assert.is_true(it_is:holds(100))
        file.text = '{"a": {"since": 1}}'
        assert.is_true(it_is:holds(101))
        assert.is_true(it_is:holds(102))
        file.text, file.err = nil, "permission denied"
        assert.is_true(it_is:holds(103))
        assert.are.same({
            "drain.json: it does not say from when until when; what it said before still counts",
            "drain.json: permission denied; what it said before still counts",
        }, log)
    end)

    it("is none at a start with a file that cannot be read or understood", function()
        for _, text in ipairs({ "", "nonsense", "7", "null", '{"a": 7}', '{"a": null}', '{"a": {"until": 1}}',
            '{"a": {"since": "1", "until": "2"}}', '{"a": {"since": 10, "until": 1e999}}' }) do
            assert.is_false(watched({ text = text }):holds(11), text)
        end
        assert.is_false(watched({ err = "permission denied" }):holds(11))
    end)
end)
