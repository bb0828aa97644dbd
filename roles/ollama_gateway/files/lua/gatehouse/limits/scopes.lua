-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Under which names is counted. A client is one scope, and it and each pattern of models that it has limits on another.

local _M = {}

-- Those whose limits a request for this model has, the client first: {name, limits, pattern}; `pattern` is nil for the
-- client itself. `model`: "" if it is not known; nil for all models.
function _M.of(client, limits, model)
    local scopes = { { name = client, limits = limits } }
    for _, entry in ipairs(limits.models) do
        if model == nil or entry.matcher(model) then
            -- No name of a client has a colon.
            scopes[#scopes + 1] = { name = client .. ":" .. entry.pattern, limits = entry.limits,
                pattern = entry.pattern }
        end
    end
    return scopes
end

function _M.requests(scope, minute)
    return "r:" .. minute .. ":" .. scope.name
end

function _M.tokens(scope, minute)
    return "t:" .. minute .. ":" .. scope.name
end

function _M.tokens_of_day(scope, day)
    return "d:" .. day .. ":" .. scope.name
end

return _M
