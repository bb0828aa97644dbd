-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What a function of a text returned once it returns again without being asked.

-- How many texts are remembered: clients choose them.
local MOST = 1000

local _M = {}

-- `judge`: a function of a text that never returns nil; `longest`: how long a text may be to be remembered.
function _M.new(judge, longest)
    local known, count = {}, 0
    return function(text)
        local found = known[text]
        if found == nil then
            found = judge(text)
            if #text <= longest then
                if count == MOST then
                    known, count = {}, 0
                end
                known[text], count = found, count + 1
            end
        end
        return found
    end
end

return _M
