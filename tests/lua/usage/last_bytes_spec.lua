-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local last_bytes = require "gatehouse.usage.last_bytes"

describe("the last bytes", function()
    it("are those of all pieces, however long these are", function()
        local seed = 1
        local function random(most)
            seed = (seed * 16807) % 2147483647
            return seed % (most + 1)
        end
        for _, most in ipairs({ 1, 3, 100, 1000, 2047, 2048, 2049, 5000, 20000 }) do
            local kept, all = last_bytes.new(), ""
            for _ = 1, 200 do
                local piece = string.char(random(255)):rep(random(most))
                kept:add(piece)
                all = (all .. piece):sub(-last_bytes.KEPT)
                assert(kept:text() == all)
            end
        end
    end)

    it("are none before any piece, or of empty ones", function()
        local kept = last_bytes.new()
        assert.are.equal("", kept:text())
        kept:add("")
        assert.are.equal("", kept:text())
    end)
end)
