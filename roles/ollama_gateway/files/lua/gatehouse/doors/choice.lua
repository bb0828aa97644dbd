-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Which server a request goes to: of those that may take it the least busy, where a model that would have to be loaded
-- counts as so much work.

local huge = math.huge
local random = math.random

-- Of two that are as busy, one that has the model loaded is taken, or else the one with fewer models loaded.
local LOADED = 1e-6

local _M = {}

-- The state of a server: the lower, the better.
local SOUND, ASIDE, DOWN = 1, 2, 3

local function state_of(door, now)
    if door.draining then
        return nil
    elseif not door.up then
        return DOWN
    end
    return door.aside > now and ASIDE or SOUND
end

-- The best of those in this state.
local function best_of(doors, wish, state)
    local found, best, ties = nil, huge, 0
    for i = 1, #doors do
        local door = doors[i]
        if state_of(door, wish.now) == state and not wish.tried[door.number] then
            local is_warm = door.warm[wish.model] or wish.loading[door.number]
            -- However idle it is, it would have to load the model.
            if is_warm or best > wish.penalty then
                local score = (door.others + wish.own(door.number)) / door.capacity
                    + (is_warm and 0 or wish.penalty + (door.loaded + 1) * LOADED)
                ties = score < best and 1 or score == best and ties + 1 or ties
                if score < best or score == best and random(ties) == 1 then
                    found, best = door, score
                end
            end
        end
    end
    return found
end

-- `doors`: each {number, up, draining, aside, others, capacity, warm, loaded}: whether it answered when it was looked
-- at, whether it takes no new requests, until when it is put aside, how many requests of other gateways it has and can
-- have at once, the set of models that it has loaded or is loading, and how many are loaded. `wish`: {model, loading,
-- penalty, own, tried, now}: its listed name, the set of the numbers where this gateway has it loaded just now, how
-- busy a server with the model may be before one without is to load it, a function that tells of a number how many
-- requests of this gateway are there, the set of the numbers that are out of the question, and the time in seconds.
-- Returns the door, and whether it has to load; nil if there is none.
function _M.choose(doors, wish)
    -- Whoever failed a moment ago is better than nobody, and so is one that may only be too busy to say something.
    local found = best_of(doors, wish, SOUND) or best_of(doors, wish, ASIDE) or best_of(doors, wish, DOWN)
    if found then
        return found, not (found.warm[wish.model] or wish.loading[found.number])
    end
end

return _M
