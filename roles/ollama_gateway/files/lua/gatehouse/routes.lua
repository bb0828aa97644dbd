-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The route table: finds the route of a request by its method and its target as it came, byte for byte. Nothing is
-- decoded but the colon of a parameter, and nothing normalised, so no other spelling of a path slips past, nor does one
-- go on that was not judged.

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local _M = {}
local methods = {}

-- Returns the route and, where its path ends in a parameter, that one's value; or nil.
function methods:find(method, target)
    -- Mostly there is no query, and then nothing to take apart.
    local whole = self.exact[method .. " " .. target]
    if whole then
        return whole
    end
    if find(target, "#", 1, true) then
        return nil
    end
    local path = match(target, "^[^?]*")
    local route = self.exact[method .. " " .. path]
    if route then
        return route
    end
    for _, entry in ipairs(self.parametrised) do
        if entry.route.method == method and sub(path, 1, #entry.prefix) == entry.prefix then
            -- As clients write it that encode what they put into a path.
            local value = gsub(sub(path, #entry.prefix + 1), "%%3[Aa]", ":")
            if find(value, entry.pattern) then
                return entry.route, value
            end
        end
    end
    return nil
end

-- `routes`: the entries of the table; `parameters`: the pattern of each parameter that ends a path, such as ":model".
function _M.new(routes, parameters)
    local self = { exact = {}, parametrised = {} }
    for _, route in ipairs(routes) do
        local prefix, parameter = match(route.path, "^(.*/)(:%a+)$")
        if prefix then
            self.parametrised[#self.parametrised + 1] = {
                route = route,
                prefix = prefix,
                pattern = "^" .. parameters[parameter] .. "$",
            }
        else
            self.exact[route.method .. " " .. route.path] = route
        end
    end
    return setmetatable(self, { __index = methods })
end

return _M
