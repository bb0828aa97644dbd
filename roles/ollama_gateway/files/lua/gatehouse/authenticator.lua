-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Decides who a request is from. It answers what to do and does nothing itself.

local authorization = require "gatehouse.authorization"

local setmetatable = setmetatable
local sub = string.sub

local PREFIX = "Bearer "

local BASIC = 'Basic realm="ollama", charset="UTF-8"'
local BEARER = 'Bearer realm="ollama"'
local INVALID_TOKEN = BEARER .. ', error="invalid_token"'

local _M = {}
local methods = {}

-- The error tells only what the one who asks knows already: that a key was presented (RFC 6750, section 3.1).
local function unauthorized(self, tried)
    return nil, {
        status = 401,
        bearer_challenge = self.accepts.bearer and (tried == "bearer" and INVALID_TOKEN or BEARER) or nil,
        basic_challenge = self.accepts.basic and BASIC or nil,
    }
end

-- What is known of the key that stands in `text` behind its first `skipped` bytes, if it is valid at this time. Its
-- digest is looked up, so the time that takes says nothing about the keys on file.
local function valid_key(self, text, skipped, time)
    local keys = self.keys()
    local entry = keys and keys:find(text, skipped)
    return entry and time >= entry.not_before and time < entry.expires and entry or nil
end

local function by_password(self, user, password)
    local users = self.users()
    if not users then
        return unauthorized(self, "basic")
    end
    local hash = users.hashes[user]
    local matches, err = self.verify(password, hash or users.stand_in)
    if matches == nil then
        return nil, { status = 503, err = err }
    end
    if not matches or not hash then
        return unauthorized(self, "basic")
    end
    return { client = user, key = "" }
end

-- Anthropic's clients send their key in a header of its own, some of them in both.
local function parse(header, api_key)
    if not api_key or api_key == "" then
        return authorization.parse(header)
    end
    local credential = authorization.parse("Bearer " .. api_key)
    if not credential or not header or header == "" then
        return credential, nil, "bearer"
    end
    local other, _, tried = authorization.parse(header)
    if not other or other.key ~= credential.key then
        return nil, "two credentials", tried
    end
    return credential
end

-- Takes the values of the headers Authorization and x-api-key, and the time in seconds since 1970.
-- Returns at least {client, key}, which is not to be changed; or nil and {status, bearer_challenge, basic_challenge,
-- err}.
function methods:identify(header, api_key, time)
    -- As nearly all are written, in one step. What is no key that somebody was given is looked at more closely.
    if header and not api_key and self.accepts.bearer and sub(header, 1, #PREFIX) == PREFIX then
        local entry = valid_key(self, header, #PREFIX, time)
        if entry then
            return entry
        end
    end
    local credential, _, tried = parse(header, api_key)
    if not credential then
        return unauthorized(self, tried)
    end
    if not self.accepts[credential.scheme] then
        return unauthorized(self)
    end
    if credential.scheme == "bearer" then
        local entry = valid_key(self, credential.key, 0, time)
        if not entry then
            return unauthorized(self, "bearer")
        end
        return entry
    end
    return by_password(self, credential.user, credential.password)
end

-- `accepts`: {basic = boolean, bearer = boolean}; `keys` and `users`: functions that return what the files say, or nil;
-- `verify`: a function of password and hash that returns true, false, or nil and an error.
function _M.new(options)
    return setmetatable({
        accepts = options.accepts,
        keys = options.keys,
        users = options.users,
        verify = options.verify,
    }, { __index = methods })
end

return _M
