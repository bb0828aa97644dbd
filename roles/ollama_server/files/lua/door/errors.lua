-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The door's own errors: which one it is, and its text in the dialect that the path belongs to, as the gateway's.

local cjson = require "cjson.safe"

local find, match = string.find, string.match
local encode = cjson.encode

local KINDS = {
    [400] = { "the request is malformed", "invalid_request_error", "invalid_request_error" },
    [403] = { "this door is not open to that certificate", "permission_error", "permission_error" },
    [404] = { "there is no such route", "invalid_request_error", "not_found_error" },
    [500] = { "the door has a fault that its log tells about", "server_error", "api_error" },
    [502] = { "Ollama broke off its answer", "server_error", "api_error" },
    [503] = { "this server takes no requests now", "server_error", "overloaded_error" },
    [504] = { "Ollama did not answer in time", "server_error", "timeout_error" },
}

local _M = {}

local function last(text)
    return match(text or "", "([^,%s]+)%s*$") or "-"
end

-- What to answer where nginx has come to `status`. Returns a status, and whether no byte of an answer was begun and
-- another server may be asked. `connected` and `received`: nginx's $upstream_connect_time and $upstream_bytes_received;
-- nil where no server was asked.
function _M.judge(status, connected, received)
    if status == 502 and last(received) ~= "0" and last(received) ~= "-" then
        return 502, false
    elseif status == 504 and last(connected) ~= "-" then
        return 504, false
    elseif status == 502 or status == 503 or status == 504 then
        return 503, true
    end
    return KINDS[status] and status or 500, false
end

function _M.text(status, target)
    local message, openai, anthropic = unpack(KINDS[status])
    if find(target, "^/v1/messages$") or find(target, "^/v1/messages[/?]") then
        return '{"type":"error","error":{"type":' .. encode(anthropic) .. ',"message":' .. encode(message) .. "}}\n"
    elseif find(target, "^/v1$") or find(target, "^/v1[/?]") then
        return '{"error":{"message":' .. encode(message) .. ',"type":' .. encode(openai)
            .. ',"param":null,"code":null}}\n'
    end
    return '{"error":' .. encode(message) .. "}\n"
end

return _M
