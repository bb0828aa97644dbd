-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local base64 = require "gatehouse.base64"

describe("base64", function()
    it("decodes the examples of RFC 4648", function()
        local examples = {
            [""] = "", ["Zg=="] = "f", ["Zm8="] = "fo", ["Zm9v"] = "foo",
            ["Zm9vYg=="] = "foob", ["Zm9vYmE="] = "fooba", ["Zm9vYmFy"] = "foobar",
        }
        for encoded, text in pairs(examples) do
            assert.are.equal(text, base64.decode(encoded))
        end
    end)

    it("decodes every byte", function()
        assert.are.equal("\0\16\131\255\254\127", base64.decode("ABCD//5/"))
    end)

    it("refuses what is not padded, or holds anything else", function()
        for _, text in ipairs { "Zg", "Zg=", "Z", "Zg==Zg==", "Zg= ", "Z_-v", "Zm9v\n", "====", "Z===", " Zm8" } do
            assert.is_nil((base64.decode(text)), text)
        end
    end)
end)
