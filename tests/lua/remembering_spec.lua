-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local remembering = require "gatehouse.remembering"

describe("a function that is remembered", function()
    local asked

    local function judge(text)
        asked = asked + 1
        return #text > 1 and text:upper()
    end

    before_each(function() asked = 0 end)

    it("is asked once for each text, also where it says no", function()
        local one = remembering.new(judge, 10)
        for _ = 1, 3 do
            assert.are.equal("AB", one("ab"))
            assert.is_false(one("a"))
        end
        assert.are.equal(2, asked)
    end)

    it("is asked each time for what is too long to be remembered", function()
        local one = remembering.new(judge, 3)
        for _ = 1, 3 do
            assert.are.equal("ABCD", one("abcd"))
        end
        assert.are.equal(3, asked)
    end)

    it("keeps no more than a thousand texts", function()
        local one = remembering.new(judge, 10)
        for i = 1, 1001 do one("text" .. i) end
        one("text1")
        assert.are.equal(1002, asked)
        one("text1001")
        assert.are.equal(1002, asked)
    end)
end)
