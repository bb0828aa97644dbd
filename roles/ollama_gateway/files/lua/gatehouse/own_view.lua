-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What a client is told of itself, as JSON: what it may do, how much of it is left, what it used, and its keys.

local cjson = require "cjson.safe"

local date = os.date
local concat = table.concat

local NULL = cjson.null
-- Limits of which nothing is used up.
local ASKED = { "max_context", "keep_alive" }
local TIME = "!%Y-%m-%dT%H:%M:%SZ"

local _M = {}

-- A list is empty as often as not, which cjson would take for an object.
local function list_of(items, describe)
    local texts = {}
    for i, item in ipairs(items) do
        texts[i] = cjson.encode(describe(item))
    end
    return "[" .. concat(texts, ",") .. "]"
end

local function as_it_is(item)
    return item
end

local function limit(entry)
    return { name = entry.name, model = entry.model or NULL, limit = entry.limit, used = entry.used,
        remaining = entry.remaining, reset_seconds = entry.reset }
end

local function limits(state, given)
    local all = {}
    for i, entry in ipairs(state) do
        all[i] = limit(entry)
    end
    for _, name in ipairs(ASKED) do
        if given and given[name] then
            all[#all + 1] = { name = name, model = NULL, limit = given[name] }
        end
    end
    return list_of(all, as_it_is)
end

local function key_at(time)
    return function(key)
        local entry = key.entry
        return {
            id = entry.key,
            last4 = key.last4 or NULL,
            created = key.created or NULL,
            not_before = key.not_before or NULL,
            expires = key.expires or NULL,
            in_path = entry.in_path,
            is_valid = time >= entry.not_before and time < entry.expires,
        }
    end
end

local function usage(used)
    if not used then
        return "null"
    end
    return concat({ '{"since":', cjson.encode(used.since), ',"is_complete":', cjson.encode(used.is_complete),
        ',"days":', list_of(used.days, as_it_is), "}" })
end

-- `client`, `key`: who asks, the key empty if it was none; `time`: in seconds; `scopes`, `models`: lists; `limits`:
-- as limits/clients.lua has them, or nil; `state`: as limits/report.lua has it; `keys`: as keyfile.lua lists them;
-- `used`: {days, since, is_complete} as usage/sums.lua has them, or nil.
function _M.text(about)
    return concat({
        '{"client":', cjson.encode(about.client),
        ',"key":', about.key ~= "" and cjson.encode(about.key) or "null",
        ',"time":', cjson.encode(date(TIME, about.time)),
        ',"scopes":', list_of(about.scopes, as_it_is),
        ',"models":', list_of(about.models, as_it_is),
        ',"limits":', limits(about.state, about.limits),
        ',"keys":', list_of(about.keys, key_at(about.time)),
        ',"usage":', usage(about.used),
        "}\n",
    })
end

return _M
