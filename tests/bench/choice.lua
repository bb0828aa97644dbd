-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Microseconds that a choice among so many servers of so many models takes: luajit choice.lua SERVERS MODELS CHOICES

local choice = require "gatehouse.doors.choice"

local servers, models, choices = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local doors = {}
for number = 1, servers do
    local warm = {}
    for model = 1, models do
        -- Each has every second one loaded, so that there is something to choose.
        warm["model-" .. model .. ":latest"] = (number + model) % 2 == 0 or nil
    end
    doors[number] = { number = number, takes = true, aside = 0, others = number % 3, capacity = 4 }
    doors[number].warm, doors[number].loaded = warm, models / 2
end

local none = {}
local function own(number)
    return number % 2
end

local function run(count)
    for i = 1, count do
        local model = "model-" .. i % models + 1 .. ":latest"
        local wish = { model = model, loading = none, penalty = 4, own = own, tried = none, now = 1 }
        assert(choice.choose(doors, wish))
    end
end

run(choices / 10)
local begun = os.clock()
run(choices)
print((os.clock() - begun) / choices * 1e6)
