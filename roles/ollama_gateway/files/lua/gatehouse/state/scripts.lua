-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What runs in Valkey, each as one step that nothing comes between. All gateways go by its clock. The keys, which each
-- script gets with the prefix "gatehouse:":
--
-- - `minute:<scope>`: a hash, what was counted in this minute and the one before;
-- - `slots:<scope>`: a sorted set, the requests that run, each with the millisecond at which its lease ends;
-- - `day:<day>`: a hash, of each scope the tokens that the ledgers of all gateways have;
-- - `settled:<day>`: a hash, of each gateway up to which byte its ledger is in there.
--
-- See https://valkey.io/topics/eval-intro and limits/scopes.lua.

-- Reads a minute. One that is later than the next belongs to a clock that was wrong.
local MINUTE = [[
local time = redis.call("TIME")
local seconds, micros = tonumber(time[1]), tonumber(time[2])
local minute = math.floor(seconds / 60)
local left = 60 - (seconds - minute * 60 + micros / 1000000)
local millis = seconds * 1000 + math.floor(micros / 1000)

local function read_minute(key)
    local found = redis.call("HMGET", key, "minute", "requests", "before", "tokens", "tokens_before")
    for i = 1, 5 do found[i] = tonumber(found[i]) or 0 end
    if found[1] == minute - 1 then
        return { minute, 0, found[2], 0, found[4] }
    elseif found[1] < minute or found[1] > minute + 1 then
        return { minute, 0, 0, 0, 0 }
    end
    return found
end

local function write_minute(key, now)
    redis.call("HSET", key, "minute", now[1], "requests", now[2], "before", now[3], "tokens", now[4],
        "tokens_before", now[5])
    redis.call("PEXPIRE", key, 130000)
end
]]

-- KEYS: of each scope its minute and its slots, and then the day. ARGV: the id of the request, for how many
-- milliseconds it has a slot, and of each scope its name in the day and its four limits, 0 where it has none. Returns
-- numbers with spaces between: whether it is let in, seconds and microseconds, and of each scope what is used then:
-- requests, those of the minute before, tokens, those of the minute before, tokens of the day, and slots.
local ADMIT = MINUTE .. [[
local scopes, has_room = {}, true
for i = 1, (#KEYS - 1) / 2 do
    local limits = {}
    for limit in string.gmatch(ARGV[2 * i + 2], "%d+") do limits[#limits + 1] = tonumber(limit) end
    local one = { limits = limits, minute = { 0, 0, 0, 0, 0 }, minute_key = KEYS[2 * i - 1], slots_key = KEYS[2 * i],
        day = 0, slots = 0 }
    if limits[1] > 0 or limits[3] > 0 then
        one.minute = read_minute(one.minute_key)
    end
    if limits[2] > 0 then
        redis.call("ZREMRANGEBYSCORE", one.slots_key, "-inf", millis)
        one.slots = redis.call("ZCARD", one.slots_key)
    end
    if limits[4] > 0 then
        one.day = tonumber(redis.call("HGET", KEYS[#KEYS], ARGV[2 * i + 1])) or 0
    end
    local now = one.minute
    if limits[1] > 0 and now[2] + math.floor(now[3] * left / 60) >= limits[1]
        or limits[2] > 0 and one.slots >= limits[2]
        or limits[3] > 0 and now[4] + math.floor(now[5] * left / 60) >= limits[3]
        or limits[4] > 0 and one.day >= limits[4] then
        has_room = false
    end
    scopes[i] = one
end
local reply = { has_room and 1 or 0, seconds, micros }
for _, one in ipairs(scopes) do
    local now = one.minute
    if has_room and one.limits[1] > 0 then
        now[2] = now[2] + 1
        write_minute(one.minute_key, now)
    end
    if has_room and one.limits[2] > 0 then
        one.slots = one.slots + 1
        redis.call("ZADD", one.slots_key, millis + ARGV[2], ARGV[1])
        redis.call("PEXPIRE", one.slots_key, ARGV[2])
    end
    for _, count in ipairs({ now[2], now[3], now[4], now[5], one.day, one.slots }) do
        reply[#reply + 1] = count
    end
end
for i = 1, #reply do reply[i] = string.format("%.0f", reply[i]) end
return table.concat(reply, " ")
]]

-- The same without a request: says what is used. ARGV: the names in the day.
local LOOK = MINUTE .. [[
local reply = { 0, seconds, micros }
for i = 1, (#KEYS - 1) / 2 do
    local now = read_minute(KEYS[2 * i - 1])
    local slots = redis.call("ZCOUNT", KEYS[2 * i], "(" .. millis, "+inf")
    local day = tonumber(redis.call("HGET", KEYS[#KEYS], ARGV[i])) or 0
    for _, count in ipairs({ now[2], now[3], now[4], now[5], day, slots }) do
        reply[#reply + 1] = count
    end
end
for i = 1, #reply do reply[i] = string.format("%.0f", reply[i]) end
return table.concat(reply, " ")
]]

-- A request has ended. KEYS: of each scope its minute and its slots. ARGV: the id, and the tokens that it took.
local FINISH = MINUTE .. [[
for i = 1, #KEYS, 2 do
    redis.call("ZREM", KEYS[i + 1], ARGV[1])
    if tonumber(ARGV[2]) > 0 then
        local now = read_minute(KEYS[i])
        now[4] = now[4] + ARGV[2]
        write_minute(KEYS[i], now)
    end
end
return 1
]]

-- Requests go on: their slots stay theirs, also where the set was lost. KEYS: slots; ARGV: for how many milliseconds,
-- and of each key the id.
local RENEW = [[
local time = redis.call("TIME")
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + ARGV[1]
for i, key in ipairs(KEYS) do
    redis.call("ZADD", key, ends, ARGV[i + 1])
    redis.call("PEXPIRE", key, ARGV[1])
end
return 1
]]

-- A piece of a ledger, once. KEYS: what is settled of that day, and the day. ARGV: the gateway and its file, from which
-- byte to which, for how many seconds both are kept, and in JSON a list of scopes and their tokens. Returns up to which
-- byte it is settled now: what starts anywhere else changes nothing.
local SETTLE = [[
local at = tonumber(redis.call("HGET", KEYS[1], ARGV[1])) or 0
if at ~= tonumber(ARGV[2]) then
    return at
end
for _, one in ipairs(cjson.decode(ARGV[5])) do
    redis.call("HINCRBY", KEYS[2], one[1], one[2])
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
redis.call("EXPIRE", KEYS[1], ARGV[4])
redis.call("EXPIRE", KEYS[2], ARGV[4])
return tonumber(ARGV[3])
]]

return { admit = ADMIT, look = LOOK, finish = FINISH, renew = RENEW, settle = SETTLE }
