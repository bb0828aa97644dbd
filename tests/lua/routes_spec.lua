-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local routes = require "gatehouse.routes"

local TAGS = { method = "GET", path = "/api/tags" }
local ROOT = { method = "GET", path = "/" }
local MODEL = { method = "GET", path = "/v1/models/:model" }
local BLOB = { method = "POST", path = "/api/blobs/:digest" }
local PARAMETERS = { [":model"] = "[A-Za-z0-9_][A-Za-z0-9._:@-]*", [":digest"] = "sha256[:-][0-9a-f]+" }

local found = routes.new({ TAGS, ROOT, MODEL, BLOB }, PARAMETERS)

describe("the route of a request", function()
    it("is found by method and path, whatever the query", function()
        assert.are.equal(ROOT, found:find("GET", "/"))
        assert.are.equal(TAGS, found:find("GET", "/api/tags"))
        assert.are.equal(TAGS, found:find("GET", "/api/tags?a=/b?c"))
    end)

    it("may end in a parameter, which is told", function()
        local route, model = found:find("GET", "/v1/models/tiny:latest?x")
        assert.are.equal(MODEL, route)
        assert.are.equal("tiny:latest", model)
        assert.are.equal(BLOB, (found:find("POST", "/api/blobs/sha256:00ff")))
        for _, colon in ipairs({ "%3A", "%3a" }) do
            assert.are.equal("tiny:latest", select(2, found:find("GET", "/v1/models/tiny" .. colon .. "latest")))
            assert.are.equal(BLOB, (found:find("POST", "/api/blobs/sha256" .. colon .. "00ff")))
        end
    end)

    it("is found in a time that grows with the target and not with its square", function()
        local begun = os.clock()
        for _ = 1, 20 do
            assert.is_nil(found:find("GET", "/v1/models/" .. ("a"):rep(65536) .. "#"))
        end
        assert.is_true(os.clock() - begun < 1)
    end)

    it("is none for any other method or spelling", function()
        for _, target in ipairs({ "", "api/tags", "/api/tags/", "//api/tags", "/API/tags", "/%61pi/tags", "/api/tags#a",
            "/api/tags?a#b", "/api/tags\0", "/v1/models/", "/v1/models/..", "/v1/models/.", "/v1/models/a/b",
            "/v1/models/a%2fb",
            "/v1/models/%3Aa", "/v1/models/a%253A", "/v1/models/a%3", "/v1%3A/models/a",
            "/api/blobs/sha256:xyz", "/api/blobs/sha512:00" }) do
            assert.is_nil(found:find("GET", target), target)
            assert.is_nil(found:find("POST", target), target)
        end
        assert.is_nil(found:find("POST", "/api/tags"))
        assert.is_nil(found:find("get", "/api/tags"))
    end)
end)
