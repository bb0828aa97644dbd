-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local model_names = require "gatehouse.model_names"

local function may(globs, name)
    return model_names.matcher(globs)(name)
end

describe("the name of a model", function()
    it("is the same in every spelling that Ollama takes for it", function()
        local tiny = { host = "registry.ollama.ai", namespace = "library", model = "tiny", tag = "latest" }
        for _, name in ipairs({ "tiny", "tiny:latest", "library/tiny", "TINY", "registry.ollama.ai/library/TINY:latest",
            "https://registry.ollama.ai/library/tiny", "http://Registry.Ollama.AI/library/tiny" }) do
            assert.are.same(tiny, model_names.canonical(name), name)
        end
    end)

    it("may have a host with a port, a namespace and a tag", function()
        assert.are.same({ host = "localhost:5000", namespace = "team", model = "m", tag = "1b-q4_0" },
            model_names.canonical("localhost:5000/team/m:1b-q4_0"))
    end)

    it("is none with anything that Ollama refuses or reads otherwise", function()
        for _, name in ipairs({ "", " tiny", "tiny ", "tiny:", ":tag", "/tiny", "a//tiny", "tiny\0", "tiny@sha256:0",
            "-tiny", "a/b/c/d", "tiny:a:b", "ti%ny", "tiny\n", "../tiny", "ｔiny" }) do
            assert.is_nil((model_names.canonical(name)), name)
        end
    end)
end)

describe("what a name means where models are run", function()
    it("is the same without blanks around it and without the word for this server", function()
        for _, name in ipairs({ "tiny", " tiny", "tiny ", "\ttiny\r\n", "\194\160tiny\227\128\128", "tiny:local",
            " tiny:LOCAL ", "tiny: Local" }) do
            assert.are.equal("tiny", model_names.meant(name), name)
        end
        assert.are.equal("library/tiny:1b", model_names.meant("library/tiny:1b:local"))
    end)

    it("is what it says in all else", function()
        for _, name in ipairs({ "", "tiny:cloud", "tiny:latest-local", "local", ":local", "local/tiny", "a:local/b/c",
            "ti ny", "\226\128\139tiny", "tiny\0", ("x"):rep(1000) .. ":local" }) do
            assert.are.equal(name, model_names.meant(name), name)
        end
        assert.are.equal("tiny:local", model_names.meant("tiny:local:local"))
        assert.are.equal("tiny ", model_names.meant("tiny :local"))
    end)

    it("takes a time that grows with its length", function()
        local begun = os.clock()
        for _ = 1, 100 do
            model_names.meant((" "):rep(300) .. "a" .. ("\194\160"):rep(100))
            model_names.meant((":"):rep(500))
        end
        assert.is_true(os.clock() - begun < 1)
    end)

    it("is what a pattern is read as, too", function()
        assert.is_true(may({ "tiny:local" }, "tiny"))
        assert.is_false(may({ "tiny:local" }, "tiny:1b"))
        assert.is_false(may({ "ti*:local" }, "tiny:1b"))
        assert.is_false(may({ "tiny" }, "tiny:local"))
    end)
end)

describe("the length of a name", function()
    it("may be what Ollama lets it be, part by part, and no more", function()
        local host, part = ("h"):rep(350), ("p"):rep(80)
        local longest = "https://" .. host .. "/" .. part .. "/" .. part .. ":" .. part
        for _, name in ipairs({ longest, part, part .. ":" .. part, part .. "/" .. part }) do
            assert.is_table(model_names.canonical(name), name)
            assert.is_true(model_names.is_name(name), name)
            assert.is_true(may({ "*/*/*:*" }, name), name)
        end
        for _, name in ipairs({ part .. "p", part .. ":" .. part .. "p", part .. "p/" .. part,
            host .. "h/" .. part .. "/" .. part, ("x"):rep(65536), ("a:"):rep(30000), ("a/"):rep(30000) }) do
            assert.is_false(model_names.is_name(name), name)
            assert.is_false(may({ "*/*/*:*" }, name), name)
        end
    end)
end)

describe("a pattern", function()
    it("without a wildcard means one model, in every spelling, with the tag latest", function()
        assert.is_true(may({ "tiny" }, "library/TINY:latest"))
        assert.is_true(may({ "Library/tiny:LATEST" }, "tiny"))
        assert.is_false(may({ "tiny" }, "tiny:1b"))
        assert.is_false(may({ "tiny" }, "tiny-loop"))
        assert.is_false(may({ "tiny" }, "hf.co/library/tiny"))
        assert.is_false(may({ "tiny" }, "mallory/tiny"))
    end)

    it("with a wildcard for the model means any tag, unless it has one", function()
        assert.is_true(may({ "llama3*" }, "llama3.2:1b"))
        assert.is_false(may({ "llama3*:8b" }, "llama3.2:1b"))
        assert.is_true(may({ "tiny:?b" }, "tiny:1b"))
        assert.is_false(may({ "tiny:?b" }, "tiny:12b"))
    end)

    it("keeps a wildcard within its part", function()
        assert.is_false(may({ "t*" }, "team/tiny"))
        assert.is_true(may({ "team/*" }, "team/tiny:1b"))
        assert.is_false(may({ "team/*" }, "hf.co/team/tiny"))
        assert.is_true(may({ "hf.co/*/*" }, "hf.co/team/tiny:q4"))
    end)

    it("means what the shell means by its wildcards, however many there are", function()
        -- The slow and obvious way.
        local function glob(text, pattern)
            local sign = pattern:sub(1, 1)
            if sign == "" then
                return text == ""
            elseif sign == "*" then
                return glob(text, pattern:sub(2)) or text ~= "" and glob(text:sub(2), pattern)
            end
            return text ~= "" and (sign == "?" or sign == text:sub(1, 1)) and glob(text:sub(2), pattern:sub(2))
        end
        local seed = 1
        local function any(signs)
            seed = (seed * 16807) % 2147483647
            local at = seed % #signs + 1
            return signs:sub(at, at)
        end
        local matched = 0
        for round = 1, 20000 do
            local name, pattern = "", ""
            for _ = 1, round % 9 + 1 do
                name = name .. any("aab")
            end
            for _ = 1, round % 7 + 1 do
                pattern = pattern .. any("aab*?*")
            end
            local expected = glob(name, pattern)
            matched = matched + (expected and 1 or 0)
            assert.are.equal(expected, may({ "x/" .. pattern .. ":t" }, "x/" .. name .. ":t"), name .. " " .. pattern)
        end
        assert.is_true(matched > 2000 and matched < 18000)
    end)

    it("costs no more with many wildcards than with few", function()
        local begun = os.clock()
        for number = 1, 200 do
            local name = ("ab"):rep(36) .. number
            assert.is_false(may({ ("*a*b"):rep(15) .. "*c" }, name))
            assert.is_false(may({ ("*?a"):rep(20) .. "*c" }, name))
        end
        -- Some 20 ms. To try one way after the other took seconds for a single name.
        assert.is_true(os.clock() - begun < 1)
    end)

    it("takes every other character for itself", function()
        assert.is_false(may({ "llama3.2" }, "llama3x2"))
        assert.is_false(may({ "a-b" }, "b"))
        assert.is_false(may({ "%w+" }, "tiny"))
    end)

    it("that is * alone means everything, and no pattern nothing", function()
        assert.is_true(may({ "*" }, "whatever it is"))
        assert.is_false(may({}, "tiny"))
    end)

    it("gives the same answer however often and after whatever else it is asked", function()
        local matches = model_names.matcher({ "tiny", "team/*" })
        local long = ("x"):rep(80)
        for number = 1, 2500 do
            assert.is_true(matches("tiny"))
            assert.is_false(matches("tiny" .. number))
            assert.is_true(matches("team/" .. number))
            assert.is_true(matches("team/" .. long))
            assert.is_false(matches(long))
        end
    end)
end)

describe("the one name of a model", function()
    it("is as Ollama lists it", function()
        for name, listed in pairs({
            ["tiny"] = "tiny:latest",
            ["TINY:Q4"] = "tiny:q4",
            ["registry.ollama.ai/library/tiny"] = "tiny:latest",
            ["https://registry.ollama.ai/someone/tiny"] = "someone/tiny:latest",
            ["someone/tiny:1b"] = "someone/tiny:1b",
            ["hf.co/someone/tiny-gguf:Q4_K_M"] = "hf.co/someone/tiny-gguf:q4_k_m",
        }) do
            assert.are.equal(listed, model_names.listed(name), name)
        end
    end)

    it("is none where there can be no model", function()
        for _, name in ipairs({ "", "a b", "tiny:", "/", ("x"):rep(2000) }) do
            assert.is_false(model_names.listed(name), name)
        end
    end)
end)
