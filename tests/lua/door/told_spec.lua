-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local cjson = require "cjson.safe"
local view = require "door.view"

describe("who waits until nothing runs", function()
    local state = { draining = true, capacity = 4, in_flight = { tiny = 2 }, hash = "h", tags = "[]", ps = "[]" }

    it("is told what runs where Ollama says nothing, too", function()
        assert.are.same(
            { error = "Ollama does not answer", draining = true, in_flight = { tiny = 2 } },
            cjson.decode(view.error(state)))
    end)

    it("is told when each gateway heard that requests are taken, which gateways are not", function()
        assert.is_nil(cjson.decode(view.text(state)).gateways)
        state.gateways = { gate = 1764547200.25 }
        assert.are.same({ gate = 1764547200.25 }, cjson.decode(view.text(state)).gateways)
    end)
end)
