-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local authenticator = require "gatehouse.authenticator"
local digest = require "gatehouse.digest"
local keyfile = require "gatehouse.keyfile"

local NOW = 1798761600
local BASIC = 'Basic realm="ollama", charset="UTF-8"'
local ALICE = "Basic YWxpY2U6c2VjcmV0" -- alice:secret
local MALLORY = "Basic bWFsbG9yeTpzZWNyZXQ=" -- mallory:secret

local function sha256(text)
    return digest.hex(digest.sha256(text, 0), 32)
end

local KEYS = assert(keyfile.parse("alice.laptop sha256:" .. sha256("right") .. " last4=abcd"
    .. "\nbob.ci sha256:" .. sha256("brief") .. " last4=abcd"
    .. " not_before=2026-12-31T23:59:00Z expires=2027-01-01T00:00:00Z\n"))

-- Neither remembers nor counts anything, unless a test says so.
local FORGETFUL = {
    mark = function(_, address, header) return (address or "") .. " " .. header end,
    recall = function() end,
    remember = function() end,
    knows_key = function() end,
    remember_key = function() end,
}
local PATIENT = { begin = function() return {} end, finish = function() end }

-- One that remembers as FORGETFUL does, but for these methods.
local function memory_with(changes)
    return setmetatable(changes, { __index = FORGETFUL })
end

-- Notes the tries that fail.
local function counter(counted)
    return {
        begin = function(_, ...) return { ... } end,
        finish = function(_, try, has_failed) counted[#counted + 1] = has_failed and try or nil end,
    }
end

local function new(auth, changes)
    local options = {
        memory = FORGETFUL,
        failures = PATIENT,
        certificates = "none",
        accepts = { basic = auth ~= "bearer", bearer = auth ~= "basic" },
        keys = function() return KEYS end,
        users = function()
            return { hashes = { alice = "hash of secret" }, stand_in = function() return "hash of secret" end }
        end,
        verify = function(password, hash) return hash == "hash of " .. password end,
    }
    for name, value in pairs(changes or {}) do
        options[name] = value
    end
    return authenticator.new(options)
end

local function refused(identities, header, bearer, basic, reason)
    local identity, refusal = identities:identify(header, nil, NOW)
    assert.is_nil(identity)
    assert.are.same({ status = 401, bearer_challenge = bearer, basic_challenge = basic, reason = reason }, refusal)
end

describe("who a request is from", function()
    it("is the client of the key", function()
        local identity = new("bearer"):identify("Bearer right", nil, NOW)
        assert.are.equal("alice laptop", identity.client .. " " .. identity.key)
    end)

    it("is the user of the password", function()
        assert.are.same({ client = "alice", key = "" }, new("basic"):identify(ALICE, nil, NOW))
    end)

    it("is either where both are accepted", function()
        assert.are.equal("laptop", new("both"):identify("Bearer right", nil, NOW).key)
        assert.are.equal("alice", new("both"):identify(ALICE, nil, NOW).client)
    end)

    it("is nobody from the second on in which the key expires", function()
        assert.are.equal("bob", new("bearer"):identify("Bearer brief", nil, NOW - 1).client)
        refused(new("bearer"), "Bearer brief", 'Bearer realm="ollama", error="invalid_token"', nil,
            "this API key has expired")
    end)

    it("is told what became of a key to whoever has it, and nothing of one that can be guessed", function()
        local line = "bob.ci sha256:" .. sha256("brief") .. " %s"
        local soon, past = "not_before=2027-01-01T00:00:01Z", "expires=2026-01-01T00:00:00Z"
        for text, reason in pairs({ [soon .. " last4=abcd"] = "this API key does not count yet",
            [past .. " last4=abcd"] = "this API key has expired", [soon] = false, [past] = false,
            [past .. " last4=abcd guessable=yes"] = false }) do
            local keys = assert(keyfile.parse(line:format(text) .. "\n"))
            local identities = new("bearer", { keys = function() return keys end })
            for _, header in ipairs({ "Bearer brief", "bearer brief" }) do
                refused(identities, header, 'Bearer realm="ollama", error="invalid_token"', nil, reason or nil)
            end
            local _, refusal = identities:identify(nil, "brief", NOW)
            assert.are.equal(reason or nil, refusal.reason)
            refused(identities, "Bearer other", 'Bearer realm="ollama", error="invalid_token"')
        end
    end)

    it("is nobody before the second in which the key begins to count", function()
        assert.are.equal("bob", new("bearer"):identify("Bearer brief", nil, NOW - 60).client)
        assert.is_nil(new("bearer"):identify("Bearer brief", nil, NOW - 61))
    end)

    it("is the client of the key in whatever spelling RFC 9110 allows", function()
        for _, header in ipairs({ "bearer right", "BEARER right", "Bearer   right" }) do
            assert.are.equal("alice", new("bearer"):identify(header, nil, NOW).client)
        end
        for _, header in ipairs({ "Bearer right ", " Bearer right", "Bearer right, Bearer right", "Bearer\tright" }) do
            assert.is_nil(new("bearer"):identify(header, nil, NOW))
        end
    end)

    it("is nobody without a credential, and the answer says what is wanted", function()
        refused(new("bearer"), nil, 'Bearer realm="ollama"')
        refused(new("basic"), nil, nil, BASIC)
        refused(new("both"), nil, 'Bearer realm="ollama"', BASIC)
    end)

    it("is nobody with a wrong key, and only then the answer calls it invalid", function()
        refused(new("bearer"), "Bearer wrong", 'Bearer realm="ollama", error="invalid_token"')
        refused(new("both"), "Bearer a b", 'Bearer realm="ollama", error="invalid_token"', BASIC)
        refused(new("bearer"), "Foo Bearer right", 'Bearer realm="ollama"')
        refused(new("bearer"), ALICE, 'Bearer realm="ollama"')
    end)

    it("is nobody with a wrong password or a kind of credential that is not accepted", function()
        refused(new("basic"), "Basic YWxpY2U6eA==", nil, BASIC)
        refused(new("basic"), "Bearer right", nil, BASIC)
    end)

    it("is the client of a key that comes as x-api-key, alone or beside the same one", function()
        for _, header in ipairs({ "", "Bearer right" }) do
            assert.are.equal("laptop", new("both"):identify(header, "right", NOW).key)
        end
    end)

    it("is nobody with two credentials that differ, whatever they are", function()
        for _, header in ipairs({ "Bearer brief", "Bearer wrong", "Foo", ALICE }) do
            assert.is_nil(new("both"):identify(header, "right", NOW))
        end
        assert.is_nil(new("both"):identify("Bearer right", "wrong", NOW))
        assert.is_nil(new("both"):identify(nil, "right, right", NOW))
        assert.is_nil(new("basic"):identify(nil, "right", NOW))
    end)

    it("is nobody with the digest of a key instead of the key", function()
        refused(new("bearer"), "Bearer " .. sha256("right"), 'Bearer realm="ollama", error="invalid_token"')
    end)

    it("costs an unknown user the same check, which never lets in", function()
        local checked
        local identities = new("basic", { verify = function(_, hash) checked = hash; return true end })
        refused(identities, MALLORY, nil, BASIC)
        assert.are.equal("hash of secret", checked)
    end)

    it("is nobody while a file was never good", function()
        local function nothing() return nil end
        refused(new("bearer", { keys = nothing }), "Bearer right", 'Bearer realm="ollama", error="invalid_token"')
        refused(new("basic", { users = nothing }), ALICE, nil, BASIC)
    end)

    it("is the user of a password that was right before, without a hash", function()
        local memory = memory_with({
            recall = function(_, mark, hashes)
                local is_known = mark == "here " .. ALICE and hashes.alice == "hash of secret"
                return is_known and "alice" or nil, is_known
            end,
            remember = function() error("again") end,
        })
        local identities = new("both", { memory = memory, verify = function() error("hashed") end })
        assert.are.same({ client = "alice", key = "" }, identities:identify(ALICE, nil, NOW, "here"))
        assert.is_nil(new("bearer", { memory = memory }):identify(ALICE, nil, NOW, "here"))
        assert.is_nil(new("both", { memory = memory }):identify(ALICE, "x", NOW, "here"))
        assert.has_error(function() identities:identify(ALICE, nil, NOW, "there") end, "hashed")
    end)

    it("is remembered with the hash that was right, and only then", function()
        local remembered = {}
        local memory = memory_with({ remember = function(_, ...) remembered[#remembered + 1] = { ... } end })
        local identities = new("basic", { memory = memory })
        identities:identify("Basic YWxpY2U6eA==", nil, NOW)
        identities:identify(MALLORY, nil, NOW)
        identities:identify(ALICE, nil, NOW, "here")
        assert.are.same({ { "here " .. ALICE, "alice", "hash of secret", NOW } }, remembered)
    end)

    describe("after too many failures", function()
        local function limited(changes)
            changes = changes or {}
            changes.failures = {
                begin = function(_, address, user)
                    if address == "bad" or user == "mallory" then
                        return nil, 42
                    end
                    return {}
                end,
                finish = function(_, _, has_failed) assert(not has_failed, "counted") end,
            }
            return new("both", changes)
        end

        local function told_to_wait(header, address)
            local identities = limited({ verify = function() error("hashed") end })
            local identity, refusal = identities:identify(header, nil, NOW, address)
            assert.is_nil(identity)
            assert.are.same({ status = 429, retry_after = 42 }, refusal)
        end

        it("is told to wait before any hash is computed", function()
            told_to_wait(ALICE, "bad")
            told_to_wait(MALLORY, "good")
            told_to_wait("Bearer wrong", "bad")
            told_to_wait("Foo", "bad")
        end)

        it("is still the client of a key, which nobody can guess, but not of one in plain text", function()
            assert.are.equal("laptop", limited():identify("Bearer right", nil, NOW, "bad").key)
            local keys = assert(keyfile.parse("plain-text-key\n"))
            local identities = limited({ keys = function() return keys end })
            assert.are.equal("(plain text)", identities:identify("Bearer plain-text-key", nil, NOW, "good").client)
            assert.is_nil(identities:identify("Bearer plain-text-key", nil, NOW, "bad"))
        end)

        it("is still the client of a strong key in whatever spelling and header", function()
            for _, header in ipairs({ "bearer right", "Bearer  right" }) do
                assert.are.equal("laptop", limited():identify(header, nil, NOW, "bad").key)
            end
            assert.are.equal("laptop", limited():identify(nil, "right", NOW, "bad").key)
        end)

        it("is still the client of a key that can be guessed if this address presented it before", function()
            local keys = assert(keyfile.parse("plain-text-key\na.b sha256:" .. sha256("weak") .. " guessable=yes\n"))
            local known = {}
            local memory = memory_with({
                knows_key = function(_, mark) return known[mark] end,
                remember_key = function(_, mark) known[mark] = true end,
            })
            local open = new("both", { keys = function() return keys end, memory = memory })
            local identities = limited({ keys = function() return keys end, memory = memory })
            for _, key in ipairs({ "plain-text-key", "weak" }) do
                assert.is_nil(identities:identify("Bearer " .. key, nil, NOW, "bad"))
                assert.is_table(open:identify("bearer " .. key, nil, NOW, "bad"))
                assert.is_table(identities:identify("Bearer " .. key, nil, NOW, "bad"))
                assert.is_table(identities:identify(nil, key, NOW, "bad"))
            end
            local _, refusal = identities:identify("Bearer other", nil, NOW, "bad")
            assert.are.equal(429, refusal.status)
        end)

        it("is remembered once and anew each time, in whatever spelling the same comes", function()
            local marks = {}
            local keys = assert(keyfile.parse("plain-text-key\n"))
            local memory = memory_with({
                knows_key = function() return true end,
                remember_key = function(_, mark) marks[#marks + 1] = mark end,
                remember = function(_, mark) marks[#marks + 1] = mark end,
            })
            local identities = new("both", {
                keys = function() return keys end, memory = memory, verify = function() return true end,
            })
            for _, header in ipairs({ ALICE, "bAsIc    " .. ALICE:sub(7) }) do
                assert.is_table(identities:identify(header, nil, NOW, "good"))
            end
            for _ = 1, 2 do
                assert.is_table(identities:identify("bearer  plain-text-key", nil, NOW, "good"))
            end
            local key = "good Bearer plain-text-key"
            assert.are.same({ "good " .. ALICE, "good " .. ALICE, key, key }, marks)
        end)

        it("is still the user of a password that this address presented rightly, by a hash once it is old", function()
            local hashed = 0
            local memory = memory_with({
                recall = function(_, mark) return mark == "bad " .. ALICE and "alice" or nil, false end,
            })
            local function verify(password, hash)
                hashed = hashed + 1
                return hash == "hash of " .. password
            end
            local identities = limited({ memory = memory, verify = verify })
            assert.are.equal("alice", identities:identify(ALICE, nil, NOW, "bad").client)
            assert.are.equal(1, hashed)
            local _, refusal = identities:identify("Basic YWxpY2U6eA==", nil, NOW, "bad")
            assert.are.equal(429, refusal.status)
            assert.are.equal(1, hashed)
        end)

        it("is asked for a credential as ever if it has none", function()
            local _, refusal = limited():identify(nil, nil, NOW, "bad")
            assert.are.equal(401, refusal.status)
        end)
    end)

    it("waits while passwords of others are checked, and is told so when there were too many", function()
        local calls, slept = 0, 0
        local function busy()
            calls = calls + 1
            if calls == 3 then
                return true
            end
        end
        local identities = new("basic", { verify = busy, sleep = function() slept = slept + 1 end })
        assert.are.equal("alice", identities:identify(ALICE, nil, NOW).client)
        assert.are.equal(2, slept)

        local failures = {
            begin = function()
                if slept > 5 then
                    return nil, 7
                end
                return {}
            end,
            finish = function(_, _, has_failed) assert(not has_failed, "counted") end,
        }
        identities = new("basic", {
            verify = function() return nil end,
            sleep = function() slept = slept + 1 end,
            failures = failures,
        })
        local _, refusal = identities:identify(ALICE, nil, NOW)
        assert.are.equal(429, refusal.status)

        local endless = new("basic", { verify = function() return nil end, sleep = function() end })
        _, refusal = endless:identify(ALICE, nil, NOW)
        assert.are.equal(503, refusal.status)
    end)

    it("needs no check of its own if another request of the same kind had one meanwhile", function()
        local known = false
        local memory = memory_with({
            recall = function() return known and "alice" or nil, known end,
            remember = function() error("checked") end,
        })
        local identities = new("basic", {
            memory = memory,
            verify = function() return nil end,
            sleep = function() known = true end,
        })
        assert.are.equal("alice", identities:identify(ALICE, nil, NOW).client)
    end)

    it("waits while too many others are under way, before anything is judged", function()
        local slept, judged = 0, 0
        local failures = {
            begin = function()
                if slept < 3 then
                    return nil, 0
                end
                return {}
            end,
            finish = function() end,
        }
        local identities = new("basic", {
            failures = failures,
            sleep = function() slept = slept + 1 end,
            verify = function()
                judged = judged + 1
                return true
            end,
        })
        assert.are.equal("alice", identities:identify(ALICE, nil, NOW).client)
        assert.are.equal("3 1", slept .. " " .. judged)
        failures.begin = function() return nil, 0 end
        local _, refusal = identities:identify(ALICE, nil, NOW)
        assert.are.equal(503, refusal.status)
    end)

    it("counts a failed try with the address and the name, and nothing else", function()
        local counted = {}
        local count = counter(counted)
        local identities = new("both", { failures = count })
        identities:identify("Basic YWxpY2U6eA==", nil, NOW, "one")
        identities:identify(MALLORY, nil, NOW, "two")
        identities:identify("Bearer wrong", nil, NOW, "three")
        identities:identify(nil, "wrong", NOW, "four")
        identities:identify(nil, nil, NOW, "five")
        identities:identify(ALICE, nil, NOW, "six")
        identities:identify("Bearer right", nil, NOW, "seven")
        identities = new("basic", { failures = count, verify = function() return nil, "full" end })
        identities:identify(ALICE, nil, NOW, "eight")
        assert.are.same({ { "one", "alice" }, { "two", "mallory" }, { "three" }, { "four" } }, counted)
    end)

    describe("with certificates", function()
        local ALICES, BOBS = "CN=alice,O=Example", "CN=bob"
        local clients = assert(require("gatehouse.rights").parse(
            '{"alice": {"scopes": ["inference"], "models": ["*"], "certificates": ["CN=old", "' .. ALICES .. '"]}, '
                .. '"bob": {"scopes": ["inference"], "models": ["*"], "certificates": ["CN=bob"]}}'))
        local counted

        local function certified(certificates, changes)
            changes = changes or {}
            changes.certificates = certificates
            changes.clients = changes.clients or function() return clients end
            counted = {}
            changes.failures = changes.failures or counter(counted)
            return new("both", changes)
        end

        local function unhashed()
            error("hashed")
        end

        -- Returns the client, and the challenges of the refusal.
        local function who(identities, header, api_key, subject)
            local identity, refusal = identities:identify(header, api_key, NOW, "here", subject)
            if identity then
                return identity.client
            end
            assert.are.equal(401, refusal.status)
            assert.are.equal(BASIC, refusal.basic_challenge)
            return nil, refusal.bearer_challenge
        end

        describe("of which any is enough", function()
            it("is the client whose certificate it is, if nothing else is presented", function()
                local identities = certified("any")
                assert.are.same({ client = "alice", key = "" }, identities:identify(nil, nil, NOW, "here", ALICES))
                assert.are.equal("bob", who(identities, nil, "", BOBS))
                assert.are.equal("alice", who(identities, nil, nil, "CN=old"))
            end)

            it("is nobody with one that no client has, which is no failed try", function()
                local identities = certified("any")
                for _, subject in ipairs({ "CN=Alice,O=Example", "CN=alice", "O=Example,CN=alice", "" }) do
                    assert.is_nil(who(identities, nil, nil, subject))
                end
                assert.is_nil(who(identities))
                assert.are.same({}, counted)
            end)

            it("is judged by what else is presented, and by that alone", function()
                local identities = certified("any")
                assert.is_nil(who(identities, "Bearer brief", nil, BOBS))
                assert.are.equal("alice", who(identities, "Bearer right", nil, BOBS))
                assert.are.equal("alice", who(identities, nil, "right", BOBS))
                assert.are.equal("alice", who(identities, ALICE, nil, BOBS))
                assert.are.equal("alice", who(identities, "Bearer right", nil, nil))
                for _, header in ipairs({ "Bearer wrong", "Basic YWxpY2U6eA==", "Foo", "" }) do
                    assert.is_nil(who(identities, header, nil, ALICES))
                end
                assert.is_nil(who(identities, nil, "wrong", ALICES))
                assert.are.same({ "here", "alice" }, counted[3])
            end)

            it("is still the client of the certificate after too many failures", function()
                local failures = { begin = function() return nil, 42 end, finish = unhashed }
                local identities = certified("any", { failures = failures })
                assert.are.equal("alice", who(identities, nil, nil, ALICES))
                assert.is_nil(who(identities, nil, nil, "CN=mallory"))
            end)

            it("is nobody while the file was never good", function()
                assert.is_nil(who(certified("any", { clients = function() end }), nil, nil, ALICES))
            end)
        end)

        describe("that all requests need", function()
            it("is the client to whom both belong", function()
                local identities = certified("all")
                assert.are.equal("alice", who(identities, "Bearer right", nil, ALICES))
                assert.are.equal("alice", who(identities, nil, "right", "CN=old"))
                assert.are.equal("alice", who(identities, ALICE, nil, ALICES))
                assert.are.equal("laptop", identities:identify("Bearer right", nil, NOW, "here", ALICES).key)
                assert.are.same({}, counted)
            end)

            it("is nobody with one of them, and no answer tells which one was wrong", function()
                local identities = certified("all")
                local given = {
                    ["Bearer right"] = 'Bearer realm="ollama", error="invalid_token"',
                    ["Bearer wrong"] = 'Bearer realm="ollama", error="invalid_token"',
                    [ALICE] = 'Bearer realm="ollama"',
                    ["Basic YWxpY2U6eA=="] = 'Bearer realm="ollama"',
                    [MALLORY] = 'Bearer realm="ollama"',
                }
                local tries = 0
                for header, challenge in pairs(given) do
                    for _, subject in ipairs({ BOBS, "CN=mallory", "" }) do
                        local client, bearer = who(identities, header, nil, subject)
                        assert.is_nil(client)
                        assert.are.equal(challenge, bearer)
                        tries = tries + 1
                        assert.are.same({ "here" }, counted[tries])
                    end
                    assert.is_nil(who(identities, header))
                    tries = tries + 1
                end
                assert.are.equal(tries, #counted)
            end)

            it("is nobody with a certificate alone, which is no failed try", function()
                local identities = certified("all")
                for _, subject in ipairs({ ALICES, "CN=mallory" }) do
                    local client, bearer = who(identities, nil, nil, subject)
                    assert.is_nil(client)
                    assert.are.equal('Bearer realm="ollama"', bearer)
                end
                assert.are.same({}, counted)
            end)

            it("is nobody with a wrong credential beside the right certificate, which is a failed try", function()
                local identities = certified("all")
                assert.is_nil(who(identities, "Basic YWxpY2U6eA==", nil, ALICES))
                assert.is_nil(who(identities, "Bearer wrong", nil, ALICES))
                assert.is_nil(who(identities, "Foo", nil, ALICES))
                assert.are.same({ { "here", "alice" }, { "here" }, { "here" } }, counted)
            end)

            it("costs no hash unless the certificate is that of the one whose password it is", function()
                local identities = certified("all", { verify = unhashed })
                for _, subject in ipairs({ BOBS, "CN=mallory", "" }) do
                    assert.is_nil(who(identities, ALICE, nil, subject))
                    assert.is_nil(who(identities, MALLORY, nil, subject))
                end
                assert.is_nil(who(identities, ALICE))
                assert.has_error(function() who(identities, ALICE, nil, ALICES) end)
            end)

            it("is told to wait after too many failures, whatever is wrong", function()
                local failures = { begin = function() return nil, 42 end, finish = unhashed }
                local identities = certified("all", { failures = failures, verify = unhashed })
                for _, header in ipairs({ "Bearer wrong", "Bearer right", ALICE, "Foo" }) do
                    for _, subject in ipairs({ BOBS, "CN=mallory" }) do
                        local _, refusal = identities:identify(header, nil, NOW, "here", subject)
                        assert.are.same({ status = 429, retry_after = 42 }, refusal)
                    end
                end
                assert.are.equal("alice", who(identities, "Bearer right", nil, ALICES))
            end)

            it("is nobody with a key in plain text, which belongs to no client", function()
                local keys = assert(keyfile.parse("plain-text-key\n"))
                local identities = certified("all", { keys = function() return keys end })
                assert.is_nil(who(identities, "Bearer plain-text-key", nil, ALICES))
                assert.are.same({ { "here" } }, counted)
            end)
        end)

        it("of which none count is judged as ever, and the file of clients is not asked", function()
            local identities = certified("none", { clients = unhashed })
            assert.is_nil(who(identities, nil, nil, ALICES))
            assert.are.equal("alice", who(identities, "Bearer right", nil, BOBS))
        end)
    end)

    it("is unknown, and the gateway is overloaded, when the password cannot be checked", function()
        local identities = new("basic", { verify = function() return nil, "queue is full" end })
        local identity, refusal = identities:identify(ALICE, nil, NOW)
        assert.is_nil(identity)
        assert.are.same({ status = 503, err = "queue is full", is_busy = false }, refusal)
    end)
end)

describe("a key in the path", function()
    local INVALID = 'Bearer realm="ollama", error="invalid_token"'
    local LINE = "alice.cli sha256:" .. sha256("in-path") .. " last4=abcd in_path=yes expires=2027-01-01T00:00:01Z\n"
        .. "alice.laptop sha256:" .. sha256("header-only") .. " last4=abcd\nbob.weak sha256:" .. sha256("weak") .. "\n"
    local keys = assert(keyfile.parse(LINE))

    local function identify(key, header, api_key, changes, time)
        local options = { keys = function() return keys end }
        for name, value in pairs(changes or {}) do
            options[name] = value
        end
        return new("both", options):identify(header, api_key, time or NOW, "address", nil, key)
    end

    it("is who may have one there, as in a header", function()
        local identity = identify("in-path")
        assert.are.equal("alice cli", identity.client .. " " .. identity.key)
        assert.are.equal("cli", identify("", "Bearer in-path").key)
        assert.are.equal("laptop", identify(nil, "Bearer header-only").key)
    end)

    it("is nobody if it ended, is wrong, or may stand in a header only, and only then that is told", function()
        local reasons = { ["header-only"] = "this API key may not stand in the path (in_path)" }
        for _, key in ipairs({ "header-only", "weak", "wrong" }) do
            local identity, refusal = identify(key)
            assert.is_nil(identity)
            assert.are.same({ status = 401, bearer_challenge = INVALID, basic_challenge = BASIC,
                reason = reasons[key] }, refusal)
        end
        local _, refusal = identify("in-path", nil, nil, nil, NOW + 1)
        assert.are.equal("this API key has expired", refusal.reason)
    end)

    it("is nobody beside another credential, be it the same", function()
        for _, header in ipairs({ "Bearer in-path", ALICE, "x" }) do
            assert.is_nil(identify("in-path", header))
        end
        assert.is_nil(identify("in-path", nil, "in-path"))
    end)

    it("counts as a failed try if it may have been guessed, right or wrong", function()
        local counted = {}
        for _, key in ipairs({ "weak", "wrong", "header-only", "in-path" }) do
            identify(key, nil, nil, { failures = counter(counted) })
        end
        assert.are.equal(2, #counted)
    end)

    it("needs the certificate of its client where all do", function()
        local identities = new("both", { certificates = "all", keys = function() return keys end, clients = function()
            return { with_certificate = function(_, subject) return subject == "CN=alice" and "alice" or nil end }
        end })
        assert.are.equal("alice", identities:identify(nil, nil, NOW, "address", "CN=alice", "in-path").client)
        assert.is_nil(identities:identify(nil, nil, NOW, "address", nil, "in-path"))
        assert.is_nil(identities:identify(nil, nil, NOW, "address", "CN=bob", "in-path"))
        -- And nothing is told of a key.
        for _, key in ipairs({ "header-only", "wrong" }) do
            assert.is_nil(select(2, identities:identify(nil, nil, NOW, "address", nil, key)).reason)
        end
    end)
end)
