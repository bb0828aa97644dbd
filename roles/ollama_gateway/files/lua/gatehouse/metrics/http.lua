-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The smallest client of HTTP: GET without a body.

local find, lower, match, sub = string.find, string.lower, string.match, string.sub
local concat = table.concat

-- In seconds, all in all; in milliseconds, for each step, and for a connection that is kept; and in bytes.
local DEADLINE, CONNECT, SEND, READ, KEPT, LONGEST = 10, 2000, 2000, 5000, 20000, 1048576
local PIECE = 65536

local _M = {}

-- Reads until the connection ends, or until `is_all` says of the text that this is all.
local function read_all(socket, now, deadline, longest, is_all)
    local parts, size = {}, 0
    repeat
        local piece, err = socket:receiveany(PIECE)
        if piece then
            parts[#parts + 1], size = piece, size + #piece
            if is_all then
                parts = { concat(parts) }
                if is_all(parts[1]) then
                    return parts[1]
                end
            end
        elseif err ~= "closed" then
            return nil, err
        end
        if size > longest then
            return nil, "the answer is too long"
        elseif now() > deadline then
            return nil, "the answer takes too long"
        end
    until not piece
    return not is_all and concat(parts) or nil, "the connection ended"
end

-- Whether this is a whole answer, by the length that it says of itself.
local function is_whole(text)
    local head, body = find(text, "\r\n\r\n", 1, true)
    local length = head and match(lower(sub(text, 1, body)), "\r\ncontent%-length: *(%d+)\r\n")
    return length and #text >= body + tonumber(length)
end

local function connect(socket, target)
    local host, port = match(target.server, "^(.*):(%d+)$")
    local ok, err = socket:connect(host or target.server, tonumber(port) or 80)
    if ok and target.secure and socket:getreusedtimes() == 0 then
        ok, err = target.secure(socket)
    end
    return ok, err
end

-- HTTP/1.0 has no chunks, and a connection that stays only where that is asked for.
local function exchange(socket, target, path, now)
    local deadline = now() + (target.deadline or DEADLINE)
    local ok, err = connect(socket, target)
    if ok then
        ok, err = socket:send("GET " .. path .. " HTTP/1.0\r\nHost: " .. target.name .. "\r\nUser-Agent: gatehouse\r\n"
            .. (target.keep and "Connection: keep-alive\r\n\r\n" or "\r\n"))
    end
    if not ok then
        return nil, err
    end
    return read_all(socket, now, deadline, target.longest or LONGEST, target.keep and is_whole or nil)
end

-- `socket`: a new one as of ngx.socket.tcp; `target`: `server`, host and port; `name`, by which that is asked;
-- `secure`, which makes a connection one of TLS, if it is to be; `keep`, whether it is kept, which needs an answer that
-- says its length; and `deadline` in seconds and `longest` in bytes, if those are others; `now`: tells the time in
-- seconds. Returns the status and the body; or nil and an error.
function _M.get(socket, target, path, now)
    socket:settimeouts(CONNECT, SEND, target.deadline and target.deadline * 1000 or READ)
    local text, err = exchange(socket, target, path, now)
    if not (text and target.keep and socket:setkeepalive(KEPT)) then
        socket:close()
    end
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
