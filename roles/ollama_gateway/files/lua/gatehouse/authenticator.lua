-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Decides who a request is from. It answers what to do and does nothing itself.

local authorization = require "gatehouse.authorization"

local match, sub = string.match, string.sub

local BEARER_PREFIX = "Bearer "
local BASIC_PREFIX = "Basic "

-- How often it is tried to have a password checked while others are: half a minute in all.
local TURNS = 3000

local BASIC = 'Basic realm="ollama", charset="UTF-8"'
local BEARER = 'Bearer realm="ollama"'
local INVALID_TOKEN = BEARER .. ', error="invalid_token"'

local TOO_EARLY, TOO_LATE = "this API key does not count yet", "this API key has expired"
local NOT_IN_PATH = "this API key may not stand in the path (in_path)"

local _M = {}

-- The error tells only what the one who asks knows already: that a key was presented (RFC 6750, section 3.1); `reason`,
-- to whoever has the key, what became of it.
local function unauthorized(self, tried, reason)
    return nil, {
        status = 401,
        reason = reason,
        bearer_challenge = self.accepts.bearer and (tried == "bearer" and INVALID_TOKEN or BEARER) or nil,
        basic_challenge = self.accepts.basic and BASIC or nil,
    }
end

-- What is known of the key that stands in `text` behind its first `skipped` bytes. Its digest is looked up, so the time
-- that takes says nothing about the keys on file.
local function any_key(self, text, skipped)
    local keys = self.keys()
    return keys and keys:find(text, skipped)
end

local function is_valid(entry, time)
    return time >= entry.not_before and time < entry.expires
end

-- The same, if it is valid at this time.
local function valid_key(self, text, skipped, time)
    local entry = any_key(self, text, skipped)
    return entry and is_valid(entry, time) and entry or nil
end

local function by_password(self, credential, mark, time)
    local users = self.users()
    if not users then
        return unauthorized(self, "basic")
    end
    local user = credential.user
    local hash = users.hashes[user]
    local matches, err = self.verify(credential.password, hash or users.stand_in(user))
    if matches == nil then
        return nil, { status = 503, err = err or "too many passwords are being checked", is_busy = not err }
    end
    if not matches or not hash then
        return unauthorized(self, "basic")
    end
    self.memory:remember(mark, user, hash, time)
    return { client = user, key = "" }
end

local function by_key(self, credential, mark, time)
    local entry = any_key(self, credential.key, 0)
    if not entry or not is_valid(entry, time) then
        -- Of one that somebody may have guessed nothing is said.
        local is_told = entry and not entry.guessable
        return unauthorized(self, "bearer", is_told and (time < entry.not_before and TOO_EARLY or TOO_LATE) or nil)
    end
    if entry.guessable then
        self.memory:remember_key(mark)
    end
    return entry
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

-- What is written as nearly all are and needs neither a hash nor a count, in one step: a key that nobody can guess, or
-- a header whose password was right a short time ago, from the same address.
local function at_once(self, header, api_key, time, address)
    local entry
    if api_key and api_key ~= "" then
        local is_only_one = not header or header == "" or header == BEARER_PREFIX .. api_key
        entry = is_only_one and self.accepts.bearer and valid_key(self, api_key, 0, time)
    elseif not header then
        return nil
    elseif self.accepts.bearer and sub(header, 1, #BEARER_PREFIX) == BEARER_PREFIX then
        entry = valid_key(self, header, #BEARER_PREFIX, time)
    else
        local users = self.accepts.basic and self.users()
        if users then
            local user, is_fresh = self.memory:recall(self.memory:mark(address, header), users.hashes, time)
            return is_fresh and { client = user, key = "" } or nil
        end
    end
    return entry and not entry.guessable and entry or nil
end

-- Whether this address presented the same rightly before, so that it is no guess: returns whether, and if nothing is
-- left to be checked, who it is.
local function known(self, credential, mark, time)
    if credential.scheme == "bearer" then
        local entry = valid_key(self, credential.key, 0, time)
        local is_no_guess = entry and (not entry.guessable or self.memory:knows_key(mark))
        if is_no_guess and entry.guessable then
            self.memory:remember_key(mark)
        end
        return is_no_guess, is_no_guess and entry
    end
    local users = self.users()
    if not users then
        return false
    end
    local user, is_fresh = self.memory:recall(mark, users.hashes, time)
    return user ~= nil, is_fresh and { client = user, key = "" }
end

local function is_presented(header, api_key)
    return (header or "") ~= "" or (api_key or "") ~= ""
end

-- Judges, with `decide`, what counts as a try from now on, unless it is right. Whoever presents what is right waits for
-- tries that are under way, at the most. `look`: returns whether it is no guess, and who it is once that is known.
local function as_a_try(self, address, user, decide, look)
    local refusal
    for _ = 1, TURNS do
        local is_no_guess, identity = look()
        if identity then
            return identity
        end
        local try, wait
        if not is_no_guess then
            try, wait = self.failures:begin(address, user)
        end
        if is_no_guess or try then
            identity, refusal = decide()
            if try then
                self.failures:finish(try, not identity and refusal.status == 401)
            end
            if identity or not refusal.is_busy then
                return identity, refusal
            end
        elseif wait > 0 then
            return nil, { status = 429, retry_after = wait }
        end
        -- Meanwhile somebody else may have presented the same, or failed once too often.
        self.sleep()
    end
    return nil, refusal or { status = 503, is_busy = true }
end

-- Whatever cannot be right is a failed try too: the answer is the same, and so is the count.
local function refuse(self, address, user, tried)
    return as_a_try(self, address, user, function()
        return unauthorized(self, tried)
    end, function()
        return false
    end)
end

-- What has to be looked at in steps. Apart from the next function, which LuaJIT compiles: it does so with none that has
-- functions of its own.
local function in_steps(self, header, api_key, time, address)
    if not is_presented(header, api_key) then
        return unauthorized(self)
    end
    local credential, _, tried = parse(header, api_key)
    if not credential then
        return refuse(self, address, nil, tried)
    end
    local user, scheme = credential.user, credential.scheme
    if not self.accepts[scheme] then
        return refuse(self, address, user)
    end
    -- The same in whatever spelling and header it comes, or one client's could fill the memory.
    local meant = scheme == "bearer" and BEARER_PREFIX .. credential.key or BASIC_PREFIX .. match(header, "[^ ]+$")
    local mark = self.memory:mark(address, meant)
    local judge = scheme == "basic" and by_password or by_key
    return as_a_try(self, address, user, function()
        return judge(self, credential, mark, time)
    end, function()
        return known(self, credential, mark, time)
    end)
end

local function by_credential(self, header, api_key, time, address)
    local identity = at_once(self, header, api_key, time, address)
    if identity then
        return identity
    end
    return in_steps(self, header, api_key, time, address)
end

-- Returns the name of the client that has a certificate with this subject; or nil.
local function client_of(self, subject)
    local clients = subject and self.clients()
    return clients and clients:with_certificate(subject)
end

-- Whoever presents something else is judged by that. An unknown certificate is no failed try: nobody guesses one.
local function by_any(self, header, api_key, time, address, subject)
    if header or is_presented(header, api_key) then
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
    tried = credential and credential.scheme or tried
    if not is_presented(header, api_key) then
        return unauthorized(self, tried)
    end
    return refuse(self, address, nil, tried)
end

local IDENTIFY = { none = by_credential, any = by_any, all = by_all }

local methods = {}

-- Who has this key, which stands in the path. It is judged as if it stood in a header, unless it may not stand there or
-- beside another credential. Nothing is said of one that somebody may have guessed, nor where a certificate is needed,
-- too.
local function by_path(self, key, header, api_key, time, address, subject)
    local entry = any_key(self, key, 0)
    local is_misplaced = entry and not entry.in_path
    if is_misplaced and not entry.guessable and self.certificates ~= "all" and not is_presented(header, api_key) then
        return unauthorized(self, "bearer", NOT_IN_PATH)
    elseif is_misplaced or is_presented(header, api_key) then
        return refuse(self, address, nil, "bearer")
    end
    return self.by_header(self, BEARER_PREFIX .. key, nil, time, address, subject)
end

-- Takes the values of the headers Authorization and x-api-key, the time in seconds since 1970, the bytes of the address
-- that they come from, the subject of the certificate that was verified, or nil, and the key that stands in the path,
-- or "". Returns at least {client, key}, which is not to be changed; or nil and {status, bearer_challenge,
-- basic_challenge, retry_after, err, reason}.
function methods:identify(header, api_key, time, address, subject, key_in_path)
    if key_in_path and key_in_path ~= "" then
        return by_path(self, key_in_path, header, api_key, time, address, subject)
    end
    return self.by_header(self, header, api_key, time, address, subject)
end

-- `accepts`: {basic = boolean, bearer = boolean}; `certificates`: "none" count, "any" is enough, or "all" requests need
-- one and a credential of the same client; `keys`, `users`, `clients`: functions that return what a file says, or nil;
-- `verify`: a function of password and hash that returns true, false, nil while it is busy, or nil and an error;
-- `sleep`: waits until it is worth to try again; `memory` and `failures`: as password_memory and failures make them.
function _M.new(options)
    options.by_header = assert(IDENTIFY[options.certificates])
    return setmetatable(options, { __index = methods })
end

return _M
