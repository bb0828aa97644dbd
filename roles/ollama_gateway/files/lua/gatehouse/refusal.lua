-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- How a reader gives up on a body: with a sentence that quotes nothing of it.

local _M = {}

-- Ends the reading, from however deep within `catch`.
function _M.fail(message)
    error({ message = message }, 0)
end

-- Calls `read` with what follows. Returns true; or nil and the message that `fail` got. Other errors go on.
function _M.catch(read, ...)
    local ok, err = pcall(read, ...)
    if ok then
        return true
    end
    if not err.message then
        error(err, 0)
    end
    return nil, err.message
end

return _M
