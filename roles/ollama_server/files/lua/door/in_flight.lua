-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Requests in flight, by the name of their model.

local _M = {}
local methods = {}

function methods:begin(name)
    self.counts[name] = (self.counts[name] or 0) + 1
end

-- A name that nothing runs for is forgotten: whoever asks sees only what runs, and made-up names take no room for good.
function methods:finish(name)
    local left = (self.counts[name] or 0) - 1
    self.counts[name] = left > 0 and left or nil
end

function _M.new()
    return setmetatable({ counts = {} }, { __index = methods })
end

return _M
