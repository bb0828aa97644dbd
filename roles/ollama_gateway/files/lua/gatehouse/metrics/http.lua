-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The smallest client of HTTP: one GET without a body, whose answer ends with the connection.

local find, match, sub = string.find, string.match, string.sub
local concat = table.concat

-- In seconds, all in all; in milliseconds, for each step; and in bytes.
local DEADLINE, CONNECT, SEND, READ, LONGEST = 10, 2000, 2000, 5000, 1048576
local PIECE = 65536

local _M = {}

local function read_all(socket, now, deadline)
    local parts, size = {}, 0
    repeat
        local piece, err = socket:receiveany(PIECE)
        if piece then
            parts[#parts + 1], size = piece, size + #piece
        elseif err ~= "closed" then
            return nil, err
        end
        if size > LONGEST then
            return nil, "the answer is too long"
        elseif now() > deadline then
            return nil, "the answer takes too long"
        end
    until not piece
    return concat(parts)
end

-- HTTP/1.0 has no chunks, and no connection that stays.
local function exchange(socket, target, path, now)
    local deadline = now() + DEADLINE
    local host, port = match(target.server, "^(.*):(%d+)$")
    local ok, err = socket:connect(host or target.server, tonumber(port) or 80)
    if ok then
        ok, err = socket:send(
            "GET " .. path .. " HTTP/1.0\r\nHost: " .. target.name .. "\r\nUser-Agent: gatehouse\r\n\r\n"
        )
    end
    if not ok then
        return nil, err
    end
    return read_all(socket, now, deadline)
end

-- `socket`: a new one as of ngx.socket.tcp; `target`: `server`, host and port, and `name`, by which that is asked;
-- `now`: tells the time in seconds. Returns the status and the body; or nil and an error.
function _M.get(socket, target, path, now)
    socket:settimeouts(CONNECT, SEND, READ)
    local text, err = exchange(socket, target, path, now)
    socket:close()
    if not text then
        return nil, err
    end
    local status = match(text, "^HTTP/1%.%d (%d%d%d)")
    local _, head = find(text, "\r\n\r\n", 1, true)
    if not status or not head then
        return nil, "the answer is not HTTP"
    end
    return tonumber(status), sub(text, head + 1)
end

return _M
