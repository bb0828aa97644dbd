-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The first requests of a gateway wait until it knows its servers: nginx looks their names up only once it serves, and
-- until then has nobody to send a request to. Who comes while one gateway takes over from another would be refused.

-- In seconds: for how long nginx may take in what it was told, and after which nobody waits any more.
local TAKEN_IN, LONGEST = 0.1, 3

local _M = {}
local methods = {}

function methods:wait()
    if self.is_over then
        return
    end
    local dict = self.dict
    if not dict:get("found") and self.now() < dict:get("begun") + LONGEST then
        -- Asked for later than nginx did, and so answered later.
        self.look_up()
        self.sleep(TAKEN_IN)
        dict:set("found", true)
    end
    self.is_over = true
end

-- `dict`: of all workers, and outlives a reload, over which nginx keeps what it knows; `look_up`: learns the address
-- of a server; `now`: returns the time in seconds; `sleep`: waits for seconds.
function _M.new(options)
    options.dict:safe_add("begun", options.now())
    return setmetatable(options, { __index = methods })
end

return _M
