-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local hold = require "gatehouse.hold"

local function since(text, now)
    return assert(hold.parse(text)):since(now)
end

describe("a hold", function()
    it("is in force from when it says until when it says", function()
        local text = '{"a": {"since": 10, "until": 20}}'
        assert.is_nil(since(text, 9.9))
        assert.are.equal(10, since(text, 10))
        assert.are.equal(10, since(text, 19.9))
        assert.is_nil(since(text, 20))
    end)

    it("of several began with the youngest that is in force", function()
        local text = '{"a": {"since": 10, "until": 20}, "b": {"since": 15, "until": 30}, '
            .. '"c": {"since": 40, "until": 50}}'
        assert.are.equal(10, since(text, 12))
        assert.are.equal(15, since(text, 17))
        assert.are.equal(15, since(text, 25))
        assert.is_nil(since(text, 35))
    end)

    it("of nobody is none", function()
        assert.is_nil(since("{}", 1))
        assert.is_nil(since("[]", 1))
    end)

    it("is refused where it says nonsense, or would last for more than a day", function()
        for _, text in ipairs({
            "", "nonsense", "7", "null", '{"a": 7}', '{"a": null}', '{"a": {"since": 1}}', '{"a": {"until": 1}}',
            '{"a": {"since": "1", "until": "2"}}', '{"a": {"since": 1, "until": 86402}}',
            '{"a": {"since": 0, "until": 1}}', '{"a": {"since": 1, "until": 1e999}}',
            '{"a": {"since": 10, "until": 20}, "b": {}}',
        }) do
            local value, err = hold.parse(text)
            assert.is_nil(value, text)
            assert.are.equal("string", type(err))
        end
    end)
end)
