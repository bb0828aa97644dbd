-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local servers = require "gatehouse.metrics.servers"

local TAGS = '{"models":[{"name":"tiny:latest"},{"name":"Registry.ollama.ai/library/Big:1b"},{"name":"hf.co/a/b:q4"}]}'
local PS = '{"models":[{"name":"tiny:latest","size":100,"size_vram":60},{"name":"tiny:latest","size":1},'
    .. '{"name":"big:1b","size":"?","size_vram":-1},{"name":7},{"size":1},9]}'

describe("a look at a server", function()
    local function look(answers)
        return servers.look(function(path)
            local answer = answers[path]
            if answer then
                return answer[1], answer[2]
            end
            return nil, "connection refused"
        end, function() return 1000 end)
    end

    it("finds the models that are loaded, each once, and all names as others spell them", function()
        local seen, names = look({ ["/api/ps"] = { 200, PS }, ["/api/tags"] = { 200, TAGS } })
        assert.are.same({
            up = 1,
            at = 1000,
            loaded = {
                { model = "tiny:latest", size = 100, vram = 60 },
                { model = "big:1b", size = 0, vram = 0 },
            },
        }, seen)
        assert.are.equal("tiny:latest\nbig:1b\nhf.co/a/b:q4\n", names)
        assert.are.same(
            { ["tiny:latest"] = true, ["big:1b"] = true, ["hf.co/a/b:q4"] = true, ["other:1"] = true },
            servers.set_of({ names, "", "other:1\n" })
        )
    end)

    it("finds it down where it does not answer, or with another status", function()
        for _, answers in ipairs({ {}, { ["/api/ps"] = { 502, PS } } }) do
            local seen, names = look(answers)
            assert.are.same({ up = 0, at = 1000, loaded = {} }, seen)
            assert.is_nil(names)
        end
    end)

    it("finds no names, rather than none, where the answer cannot be read", function()
        for _, text in ipairs({ "", "{", "[]", "{}", '{"models":null}', '{"models":7}' }) do
            local seen, names = look({ ["/api/ps"] = { 200, text }, ["/api/tags"] = { 200, text } })
            assert.are.same({ up = 1, at = 1000, loaded = {} }, seen)
            assert.is_nil(names)
        end
        local _, names = look({ ["/api/ps"] = { 200, PS }, ["/api/tags"] = { 500, TAGS } })
        assert.is_nil(names)
    end)

    it("takes no more than a server can have", function()
        local many = {}
        for number = 1, 6000 do
            many[number] = '{"name":"m' .. number .. ':1","size":1,"size_vram":1}'
        end
        local text = '{"models":[' .. table.concat(many, ",") .. "]}"
        local seen, names = look({ ["/api/ps"] = { 200, text }, ["/api/tags"] = { 200, text } })
        assert.are.equal(200, #seen.loaded)
        assert.are.equal(5000, select(2, names:gsub("\n", "")))
    end)
end)
