-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- drain.json: who has this host drained, from when until when. A file that cannot be read or understood changes
-- nothing, and one that is not there drains nothing.

local cjson = require "cjson.safe"

-- In seconds, between two looks at the file.
local STEP = 0.2

local _M = {}
local methods = {}

local function is_time(value)
    return type(value) == "number" and value > 0 and value < math.huge
end

-- `text`: {"a holder": {"since": 1764547200, "until": 1764547800}}, in seconds of Unix. Returns the spans; or nil and
-- an error.
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
        end
        spans[#spans + 1] = { since = since, ends = ends }
    end
    return spans
end

-- Whether any span holds at this time, by the file as it was at the last look.
function methods:holds(now)
    -- A clock that was set back counts as a long time.
    if not self.looked or now - self.looked >= STEP or now < self.looked then
        self.looked = now
        self:look()
    end
    for _, span in ipairs(self.spans) do
        if span.since <= now and now < span.ends then
            return true
        end
    end
    return false
end

function methods:look()
    local text, err = self.read()
    local spans
    if text then
        spans, err = _M.parse(text)
    elseif not err then
        spans = {}
    end
    self.spans = spans or self.spans
    if err and err ~= self.complaint then
        self.log("drain.json: " .. err .. "; what it said before still counts")
    end
    self.complaint = err
end

-- `read` returns the text of the file; nil where there is none; nil and an error where it cannot be read. `log` takes a
-- message, once for each change for the worse.
function _M.new(read, log)
    return setmetatable({ read = read, log = log, spans = {} }, { __index = methods })
end

return _M
