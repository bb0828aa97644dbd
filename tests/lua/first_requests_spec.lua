-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local first_requests = require "gatehouse.first_requests"
local shared_dict = require "tests.lua.shared_dict"

describe("the first requests of a gateway", function()
    local now, looked, dict

    before_each(function()
        now, looked, dict = 100, 0, shared_dict.new()
    end)

    local function worker()
        return first_requests.new({
            dict = dict,
            now = function() return now end,
            look_up = function() looked = looked + 1 end,
            sleep = function(seconds) now = now + seconds end,
        })
    end

    it("wait until a server was looked up, and later ones do not", function()
        local requests = worker()
        requests:wait()
        assert.are.equal(1, looked)
        assert.is_true(now > 100)
        local then_ = now
        requests:wait()
        assert.are.equal(1, looked)
        assert.are.equal(then_, now)
    end)

    it("wait in one worker only, and not again after a reload", function()
        worker():wait()
        local other = worker()
        other:wait()
        assert.are.equal(1, looked)
    end)

    it("do not wait where they come late", function()
        local requests = worker()
        now = 104
        requests:wait()
        assert.are.equal(0, looked)
        assert.are.equal(104, now)
    end)
end)
