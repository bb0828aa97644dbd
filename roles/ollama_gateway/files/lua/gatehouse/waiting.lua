-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Requests that wait before they go on to a server.

-- In seconds, between two looks.
local STEP = 0.2

local _M = {}
local methods = {}

-- Waits as long as it must. Returns whether the request may go on; not, if that took too long or too many wait.
function methods:wait()
    if self.count >= self.most then
        return false
    end
    self.count = self.count + 1
    local ends, has_to = self.now() + self.longest, true
    while has_to and self.now() < ends do
        self.sleep(STEP)
        has_to = self.has_to()
    end
    self.count = self.count - 1
    return not has_to
end

-- `has_to`: tells whether requests have to wait; `longest`: seconds; `most`: how many may wait at the same time; `now`:
-- returns the time in seconds; `sleep`: waits for seconds.
function _M.new(options)
    options.count = 0
    return setmetatable(options, { __index = methods })
end

return _M
