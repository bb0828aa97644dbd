-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local union = require "gatehouse.doors.union"

describe("the list of several servers", function()
    it("has each model once, as the first server says it, byte for byte", function()
        assert.are.equal('{"object":"list","models":[{"name":"a:latest","size": 1},{"name":"b:latest"},{"name":"c"}]}',
            union.union({
                '{"object":"list","models":[{"name":"a:latest","size": 1}, {"name":"b:latest"}]}',
                '{"object":"list","models":[{"name":"a:latest","size":2},{"name":"c"}]}',
            }, "models"))
    end)

    it("is that of those which have one", function()
        assert.are.equal('{"models":[{"name":"a"}]}', union.union({ '{"models":null}', '{"models":[{"name":"a"}]}',
            '{"models":[{"name":"x"}', "nonsense" }, "models"))
        assert.are.equal('{"models":null}', union.union({ '{"models":null}' }, "models"))
        assert.are.equal('{"models":[]}', union.union({ '{"models":[]}', '{"models":[]}' }, "models"))
    end)

    it("is an error where nobody answers or makes sense", function()
        assert.are.equal("no server answered", select(2, union.union({}, "models")))
        assert.is_nil((union.union({ "nonsense" }, "models")))
    end)
end)
