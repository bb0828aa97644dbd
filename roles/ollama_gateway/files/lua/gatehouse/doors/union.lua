-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- One list of models from those of several servers. What an entry says stays as its server said it, byte for byte.

local model_lists = require "gatehouse.model_lists"

local sub = string.sub
local concat = table.concat

local _M = {}

-- The entries of one answer, each {name, text}, and what stands before and behind them. Returns nil and what is wrong,
-- or nothing for a list that is null.
local function parts_of(text, key)
    local entries, first, last = {}, nil, nil
    local ok, err = model_lists.each(text, key, function(names, entry)
        entries[#entries + 1] = names[1] and { names[1], entry } or nil
    end, function(from, to) first, last = from, to end)
    if not ok then
        return nil, err
    elseif first then
        return entries, sub(text, 1, first), sub(text, last)
    end
end

-- `texts`: answers of servers; `key`: the member that holds the list. Returns the first answer with the entries of all,
-- each model once; or nil and what is wrong.
function _M.union(texts, key)
    local seen, found = {}, {}
    local before, behind, problem
    for _, text in ipairs(texts) do
        local entries, head, tail = parts_of(text, key)
        if entries then
            before, behind = before or head, behind or tail
            for _, entry in ipairs(entries) do
                found[#found + 1] = not seen[entry[1]] and entry[2] or nil
                seen[entry[1]] = true
            end
        end
        problem = problem or not entries and head or nil
    end
    if before then
        return before .. concat(found, ",") .. behind
    end
    -- Servers without models have null.
    return not problem and texts[1] or nil, problem or "no server answered"
end

return _M
