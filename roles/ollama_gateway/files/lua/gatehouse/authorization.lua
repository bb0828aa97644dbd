-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads the value of an Authorization header: RFC 9110 (the form), RFC 6750 (Bearer), RFC 7617 (Basic).
--
-- A header that came twice reaches us joined with a comma, which no single credential holds: it is refused here.

local digest = require "gatehouse.digest"

local find, lower, match = string.find, string.lower, string.match

-- The characters of token68. Its pattern is anchored, so nothing can stand before or after the credential.
local TOKEN68 = "^[%w%-._~+/]+=*$"

local _M = {}

local function basic(token)
    local text, err = digest.decode_base64(token)
    if not text then
        return nil, err
    end
    -- A NUL would end the password early for crypt(3); RFC 7617 allows no control character at all.
    if find(text, "%c") then
        return nil, "failed to read the credential: it holds a control character"
    end
    local user, password = match(text, "^([^:]+):(.*)$")
    if not user then
        return nil, "failed to read the credential: it is not user:password"
    end
    return { scheme = "basic", user = user, password = password }
end

-- Returns {scheme = "bearer", key} or {scheme = "basic", user, password};
-- or nil, an error and, where one can be told, the scheme that was tried.
function _M.parse(value)
    if not value or value == "" then
        return nil, "no credential"
    end
    local scheme, token = match(value, "^(%a+) +([^ ]+)$")
    if not scheme then
        return nil, "failed to read the header: it is not a scheme and one credential", lower(match(value, "^%a*"))
    end
    scheme = lower(scheme)
    if scheme ~= "bearer" and scheme ~= "basic" then
        return nil, "unknown scheme"
    end
    if not find(token, TOKEN68) then
        return nil, "failed to read the credential: it holds a character that it may not", scheme
    end
    if scheme == "bearer" then
        return { scheme = scheme, key = token }
    end
    local credential, err = basic(token)
    return credential, err, scheme
end

return _M
