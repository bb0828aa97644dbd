-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local network = require "gatehouse.network"

describe("a sender", function()
    it("is one address of IPv4", function()
        assert.are.equal("\127\0\0\1", network.of("\127\0\0\1"))
    end)

    it("is all addresses of IPv6 that begin with the same 64 bits", function()
        assert.are.equal("12345678", network.of("12345678abcdefgh"))
        assert.are.equal("12345678", network.of("12345678hgfedcba"))
    end)
end)
