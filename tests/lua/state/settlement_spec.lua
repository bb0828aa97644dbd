-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local settlement = require "gatehouse.state.settlement"
local cjson = require "cjson.safe"

-- 2026-11-30T12:00:00Z
local NOON = 1796040000
local TODAY = "2026-11-30"

describe("the settlement", function()
    local store, ledger, one, rights

    -- As the script in Valkey.
    local function settle(self, _, keys, args)
        self.calls = self.calls + 1
        if self.lost then
            return nil, "lost"
        end
        local at = self.settled[keys[1] .. args[1]] or 0
        if at ~= args[2] then
            return at
        end
        for _, entry in ipairs(cjson.decode(args[5])) do
            local key = keys[2] .. " " .. entry[1]
            self.used[key] = (self.used[key] or 0) + entry[2]
        end
        self.settled[keys[1] .. args[1]] = args[3]
        return not self.loses_replies and args[3] or nil, "no reply"
    end

    local function used(scope)
        return store.used["day:" .. TODAY .. " " .. (scope or "alice")]
    end

    -- Each line is a byte, and a request of so many tokens.
    local function add(...)
        for _, tokens in ipairs({ ... }) do
            table.insert(ledger, tokens)
        end
    end

    local function new()
        return settlement.new({
            store = store,
            gateway = "gateway-1",
            now = function() return NOON end,
            rights = function() return rights end,
            first = function(day) return day == TODAY and ledger[1] and "abc" or nil end,
            read = function(_, from)
                if from > #ledger then
                    return {}, from, true, #ledger
                end
                local sum, last = 0, math.min(from + 2, #ledger)
                for i = from + 1, last do
                    sum = sum + ledger[i]
                end
                return last > from and { alice = { tiny = { last - from, sum, 0 } } } or {}, math.max(last, from),
                    last >= #ledger
            end,
        })
    end

    before_each(function()
        ledger = {}
        store = { used = {}, settled = {}, calls = 0, doubts = 0, try = settle, check_master = function() end }
        store.doubt = function(self) self.doubts = self.doubts + 1 end
        rights = { limits = function() return nil end }
        one = new()
    end)

    local function turn()
        return one:check() and one:turn()
    end

    it("adds each line once, however often it is called", function()
        add(1, 2, 3, 4, 5)
        assert.is_true(turn())
        turn()
        add(6)
        one:turn()
        one:turn()
        assert.are.equal(21, used())
    end)

    it("says nothing where there is nothing new, unless it is to check", function()
        add(1)
        turn()
        local calls = store.calls
        one:turn()
        assert.are.equal(calls, store.calls)
        turn()
        assert.are.equal(calls + 2, store.calls)
    end)

    it("adds nothing twice where the answer was lost", function()
        add(1, 2, 3)
        store.loses_replies = true
        assert.is_nil(turn())
        assert.is_nil(turn())
        store.loses_replies = false
        turn()
        assert.are.equal(6, used())
    end)

    it("sends on what a replica that is behind did not hear of, and all where the store was emptied", function()
        add(1, 2, 3, 4)
        turn()
        local used_then, settled_then = store.used, store.settled
        add(5, 6)
        store.used, store.settled = {}, {}
        turn()
        assert.are.equal(21, used())
        add(7)
        store.used, store.settled = used_then, settled_then
        turn()
        assert.are.equal(28, used())
        assert.are.equal(2, store.doubts)
    end)

    it("goes on where a ledger lost what it had got last", function()
        add(1, 2, 3, 4)
        turn()
        ledger[4], ledger[3] = nil, nil
        turn()
        add(5)
        turn()
        assert.are.equal(15, used())
        assert.are.equal(0, store.doubts)
    end)

    it("goes on where another worker was before", function()
        add(1, 2, 3)
        turn()
        add(4)
        one = new()
        one:turn()
        one:turn()
        assert.are.equal(10, used())
    end)

    it("counts what the patterns of a client's limits have beside its own", function()
        local matcher = function(model) return model == "tiny" end
        rights.limits = function()
            return { models = { { pattern = "tin*", matcher = matcher, limits = {} },
                { pattern = "x", matcher = function() return false end, limits = {} } } }
        end
        add(1, 2)
        turn()
        assert.are.equal(3, used())
        assert.are.equal(3, used("alice:tin*"))
        assert.is_nil(used("alice:x"))
    end)

    it("waits where it is not known who may what", function()
        rights = nil
        add(1)
        assert.is_true(one:turn())
        assert.are.equal(0, store.calls)
    end)
end)
