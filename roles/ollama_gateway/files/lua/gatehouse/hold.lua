-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- hold.json: who has requests wait before they go on to a server, from when until when. One that says nonsense, or more
-- than a day, holds nothing.

local cjson = require "cjson.safe"

local max = math.max

-- In seconds. Whoever holds and dies must not do so for good.
local LONGEST = 86400

local _M = {}
local methods = {}

local function is_time(value)
    return type(value) == "number" and value > 0 and value < math.huge
end

-- `text`: {"a holder": {"since": 1764547200, "until": 1764547800}}, in seconds of Unix. Returns the hold; or nil and an
-- error.
function _M.parse(text)
    local said = cjson.decode(text)
    if type(said) ~= "table" then
        return nil, "it is no JSON object"
    end
    local spans = {}
    for _, span in pairs(said) do
        local since, ends = type(span) == "table" and span.since, type(span) == "table" and span["until"]
        if not is_time(since) or not is_time(ends) then
            return nil, "it does not say from when until when"
        elseif ends - since > LONGEST then
            return nil, "it would hold for more than a day"
        end
        spans[#spans + 1] = { since = since, ends = ends }
    end
    return setmetatable({ spans = spans }, { __index = methods })
end

-- When the youngest hold began that holds now, in seconds; nil if none does.
function methods:since(now)
    local youngest
    for _, span in ipairs(self.spans) do
        if span.since <= now and now < span.ends then
            youngest = max(youngest or 0, span.since)
        end
    end
    return youngest
end

return _M
