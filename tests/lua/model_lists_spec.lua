-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local model_lists = require "gatehouse.model_lists"

local function may(name)
    return name == "tiny" or name == "tiny:latest"
end

describe("a list of models", function()
    it("keeps what the client may use, byte for byte", function()
        assert.are.equal('{"models":[{"name":"tiny:latest","model":"tiny:latest","size":12345678901234567890}],'
            .. ' "x": []}',
            model_lists.filter('{"models":[ {"name":"x:latest"}, {"name":"tiny:latest","model":"tiny:latest",'
                .. '"size":12345678901234567890} ,{"model":"y"}], "x": []}', "models", may))
        assert.are.equal('{"object":"list","data":[{"id":"tiny"},{"id":"tiny:latest"}]}',
            model_lists.filter('{"object":"list","data":[{"id":"tiny"},{"id":"x"},{"id":"tiny:latest"}]}', "data", may))
    end)

    it("may be empty, before or after", function()
        assert.are.equal('{"models":[]}', model_lists.filter('{"models":[]}', "models", may))
        assert.are.equal('{"models":[]}', model_lists.filter('{"models":[{"name":"x"}]}', "models", may))
        assert.are.equal('{"models":null}', model_lists.filter('{"models":null}', "models", may))
    end)

    it("shows nothing of which one name may not be seen, or that has none", function()
        assert.are.equal('{"models":[]}',
            model_lists.filter('{"models":[{"name":"tiny","model":"x"},{"size":1}]}', "models", may))
    end)

    it("is refused where it cannot be read", function()
        for _, text in ipairs({ "", "{", "[]", "{}", '{"data":[]}',
            '{"models":[1]}', '{"models":[{"name":"tiny"}],"models":[{"name":"x"}]}' }) do
            assert.is_nil((model_lists.filter(text, "models", may)), text)
        end
    end)
end)
