-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Decides who a request is from. It answers what to do and does nothing itself.

local authorization = require "gatehouse.authorization"

local assert = assert
local sub = string.sub

local BEARER_PREFIX = "Bearer "

-- How often it is tried to have a password checked while others are: half a minute in all.
local TURNS = 3000

local BASIC = 'Basic realm="ollama", charset="UTF-8"'
local BEARER = 'Bearer realm="ollama"'
local INVALID_TOKEN = BEARER .. ', error="invalid_token"'

local _M = {}

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

local function by_password(self, credential, header)
    local users = self.users()
    if not users then
        return unauthorized(self, "basic")
    end
    local user = credential.user
    local hash = users.hashes[user]
    local matches, err = self.verify(credential.password, hash or users.stand_in)
    if matches == nil then
        return nil, { status = 503, err = err or "too many passwords are being checked", is_busy = not err }
    end
    if not matches or not hash then
        return unauthorized(self, "basic")
    end
    self.memory:remember(header, user, hash)
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

-- What needs no hash of a password and is written as nearly all are, in one step: a valid key, or a header whose
-- password was right before.
local function at_once(self, header, api_key, time)
    if api_key and api_key ~= "" then
        local is_only_one = not header or header == "" or header == BEARER_PREFIX .. api_key
        return is_only_one and self.accepts.bearer and valid_key(self, api_key, 0, time)
    elseif not header then
        return nil
    elseif self.accepts.bearer and sub(header, 1, #BEARER_PREFIX) == BEARER_PREFIX then
        return valid_key(self, header, #BEARER_PREFIX, time)
    end
    local users = self.accepts.basic and self.users()
    local user = users and self.memory:recall(header, users.hashes)
    return user and { client = user, key = "" }
end

-- Judges what was presented.
local function judge(self, credential, tried, header, time)
    if not credential then
        return unauthorized(self, tried)
    end
    if not self.accepts[credential.scheme] then
        return unauthorized(self)
    end
    if credential.scheme == "basic" then
        return by_password(self, credential, header)
    end
    local entry = valid_key(self, credential.key, 0, time)
    if not entry then
        return unauthorized(self, "bearer")
    end
    return entry
end

local function is_presented(header, api_key)
    return (header or "") ~= "" or (api_key or "") ~= ""
end

local function by_credential(self, header, api_key, time, address)
    local known = at_once(self, header, api_key, time)
    if known and not known.guessable then
        return known
    end
    local credential, _, tried = parse(header, api_key)
    local presented = is_presented(header, api_key)
    local user = credential and credential.user
    local identity, refusal, wait
    for _ = 1, TURNS do
        wait = presented and self.failures:wait(address, user)
        if wait then
            return nil, { status = 429, retry_after = wait }
        end
        identity, refusal = judge(self, credential, tried, header, time)
        if identity or not refusal.is_busy then
            break
        end
        -- Meanwhile somebody else may have presented the same, or failed once too often.
        self.sleep()
        known = at_once(self, header, api_key, time)
        if known then
            return known
        end
    end
    if presented and refusal and refusal.status == 401 then
        self.failures:failed(address, user)
    end
    return identity, refusal
end

-- Returns the name of the client that has a certificate with this subject; or nil.
local function client_of(self, subject)
    local clients = subject and self.clients()
    return clients and clients:with_certificate(subject)
end

-- Whoever presents something else is judged by that. An unknown certificate is no failed try: nobody guesses one.
local function by_any(self, header, api_key, time, address, subject)
    if header or (api_key or "") ~= "" then
        return by_credential(self, header, api_key, time, address)
    end
    local client = client_of(self, subject)
    if not client then
        return unauthorized(self)
    end
    return { client = client, key = "" }
end

-- Only passwords of the certificate's own client are judged: nobody learns whether one of somebody else is right, not
-- even by the time that takes. So only those count as failed tries of the name, and all that is wrong looks the same.
local function by_all(self, header, api_key, time, address, subject)
    local credential, _, tried = parse(header, api_key)
    local client = client_of(self, subject)
    if client and (not credential or not credential.user or credential.user == client) then
        local identity, refusal = by_credential(self, header, api_key, time, address)
        if not identity or identity.client == client then
            return identity, refusal
        end
    end
    if is_presented(header, api_key) then
        local wait = self.failures:wait(address)
        if wait then
            return nil, { status = 429, retry_after = wait }
        end
        self.failures:failed(address)
    end
    return unauthorized(self, credential and credential.scheme or tried)
end

local IDENTIFY = { none = by_credential, any = by_any, all = by_all }

-- `accepts`: {basic = boolean, bearer = boolean}; `certificates`: "none" count, "any" is enough, or "all" requests need
-- one and a credential of the same client; `keys`, `users`, `clients`: functions that return what a file says, or nil;
-- `verify`: a function of password and hash that returns true, false, nil while it is busy, or nil and an error;
-- `sleep`: waits until it is worth to try again; `memory` and `failures`: as password_memory and failures make them.
--
-- `identify` takes the values of the headers Authorization and x-api-key, the time in seconds since 1970, the bytes of
-- the address that they come from, and the subject of the certificate that was verified, or nil. It returns at least
-- {client, key}, which is not to be changed; or nil and {status, bearer_challenge, basic_challenge, retry_after, err}.
function _M.new(options)
    return {
        identify = assert(IDENTIFY[options.certificates]),
        accepts = options.accepts,
        clients = options.clients,
        keys = options.keys,
        users = options.users,
        verify = options.verify,
        memory = options.memory,
        failures = options.failures,
        sleep = options.sleep,
    }
end

return _M
