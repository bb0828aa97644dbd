-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local body = require "gatehouse.limits.body"

local CONTEXT = "this client may ask for a context of 4096 tokens at the most (max_context)"
local TIME = "this client may keep a model loaded for 1800 seconds after a request at the most (keep_alive)"

describe("a limit on the context", function()
    local function problem(...)
        return body.problem({ max_context = 4096 }, { options = { ... } })
    end

    it("lets pass what asks for no more", function()
        assert.is_nil(body.problem({ max_context = 4096 }, {}))
        assert.is_nil(problem())
        for _, options in ipairs({ "null", "{}", ' { "num_ctx" : 4096 } ', '{"num_ctx":1}', '{"num_ctx":4096.0}',
            '{"num_ctx":4.096e3,"seed":1}', '{"temperature":0.5,"num_ctx":null,"stop":["a","}"]}',
            '{"num_predict":999999,"other":{"num_ctx":999999}}', '{"NUM_CTX":999999}', '{"num_ctx\\u0000":999999}',
            '{"stop":["num_ctx"],"num_ctx":\t4096\n}' }) do
            assert.is_nil(problem(options), options)
        end
        assert.is_nil(problem('{"seed":1}', "null", '{"num_ctx":7}'))
    end)

    it("refuses what asks for more", function()
        for _, options in ipairs({ '{"num_ctx":4097}', '{"num_ctx" : 4097.0}', '{"num_ctx":1e9}', '{"num_ctx":1e999}',
            '{"num\\u005fctx":4097}', '{"stop":[],"num_ctx":99999999999999999999}' }) do
            assert.are.equal(CONTEXT, problem(options), options)
        end
    end)

    it("refuses what could be read in two ways", function()
        for _, options in ipairs({ '{"num_ctx":"1"}', '{"num_ctx":4095.5}', '{"num_ctx":0}', '{"num_ctx":-1}',
            '{"num_ctx":-0}', '{"num_ctx":1e-1}', '{"num_ctx":true}', '{"num_ctx":[1]}', '{"num_ctx":{}}',
            '{"num_ctx":1,"num_ctx":2}', '{"num_ctx":1,"num_ctx":null}', '"text"', "1", "[]", "true", "{", "" }) do
            assert.are.equal("options.num_ctx of the body cannot be judged, and " .. CONTEXT, problem(options), options)
        end
        assert.is_truthy(problem('{"num_ctx":1}', '{"num_ctx":1}'):find("cannot be judged", 1, true))
        assert.is_truthy(body.problem({ max_context = 4096 }, { options = { is_cut = true } }))
        assert.is_truthy(body.problem({ max_context = 4096 }, { options = { "{}", is_cut = true } }))
    end)
end)

describe("a limit on how long a model stays loaded", function()
    local function problem(...)
        return body.problem({ keep_alive = 1800 }, { keep_alive = { ... } })
    end

    it("lets pass what asks for no longer", function()
        assert.is_nil(body.problem({ keep_alive = 1800 }, {}))
        for _, time in ipairs({ "null", "0", "0.0", "1800", "1.8e3", "1799.5", '"0"', '"+0"', '"0s"', '"30m"', '"+5m"',
            '"29m60s"', '"0.5h"', '".5h"', '"1.s"', '"1800000ms"', '"1800000000us"', '"1800000000\194\181s"',
            '"1800000000\206\188s"', '"1800000000000ns"', '"1s1s1s"', '"1799.999999999s"', '"0.1h"' }) do
            assert.is_nil(problem(time), time)
        end
    end)

    it("refuses what asks for longer, and for ever", function()
        for _, time in ipairs({ "1801", "1800.001", "1e4", "1e999", '"30m1s"', '"0.51h"', '"1h30m"', '"31m"',
            '"99999999999999999999h"', "-1", "-0.1", "-0", '"-1s"', '"-1"', '"-5m"' }) do
            assert.are.equal(TIME, problem(time), time)
        end
    end)

    it("refuses what cannot be read for sure", function()
        for _, time in ipairs({ '""', '"+"', '"10"', '"1.5"', '"5 m"', '" 5m"', '"5M"', '"1d"', '"5m "', '"m"', '"."',
            '".s"', '"1.2.3s"', '"1e3s"', '"0x10s"', '"5\\u006d"', "true", "false", "[]", "{}", '{"a":1}', '"++5m"',
            '"1_0s"', '"5\197\191"' }) do
            assert.are.equal("keep_alive of the body cannot be judged, and " .. TIME, problem(time), time)
        end
        assert.is_truthy(problem("1", "2"):find("cannot be judged", 1, true))
        assert.is_truthy(body.problem({ keep_alive = 1800 }, { keep_alive = { is_cut = true } }))
    end)

    it("may be that it is unloaded at once", function()
        assert.is_nil(body.problem({ keep_alive = 0 }, { keep_alive = { "0" } }))
        assert.is_truthy(body.problem({ keep_alive = 0 }, { keep_alive = { "1" } }))
    end)
end)

describe("who has no limit on it", function()
    it("may ask for anything", function()
        assert.is_nil(body.problem({}, { options = { '{"num_ctx":1e9}' }, keep_alive = { "-1" } }))
        assert.is_nil(body.problem({ keep_alive = 1 }, { options = { '{"num_ctx":1e9}' } }))
        assert.is_nil(body.problem({ max_context = 1 }, { keep_alive = { "-1" } }))
    end)
end)
