-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local http = require "gatehouse.metrics.http"

local TARGET = { server = "ollama:11434", name = "first:11434" }

describe("the client of HTTP", function()
    local socket, now

    -- A socket that gets these pieces, one after the other, and then the end or an error.
    local function with(pieces, err)
        local place = 0
        socket = { closed = 0 }
        function socket.settimeouts() end
        function socket:connect(host, port)
            self.host, self.port = host, port
            return 1
        end
        function socket:send(text)
            self.sent = text
            return #text
        end
        function socket.receiveany()
            place, now = place + 1, now + 1
            if pieces[place] then
                return pieces[place]
            end
            return nil, err or "closed"
        end
        function socket:close()
            self.closed = self.closed + 1
        end
        return socket
    end

    local function get(...)
        return http.get(with(...), TARGET, "/api/ps", function() return now end)
    end

    before_each(function()
        now = 0
    end)

    it("asks a server by the name that all have, and closes the connection", function()
        local status, body = get({ "HTTP/1.0 200 OK\r\nA: b\r\n", "\r\n{}", "\n" })
        assert.are.same({ 200, "{}\n" }, { status, body })
        assert.are.same({ "ollama", 11434, 1 }, { socket.host, socket.port, socket.closed })
        assert.are.equal(
            "GET /api/ps HTTP/1.0\r\nHost: first:11434\r\nUser-Agent: gatehouse\r\n\r\n", socket.sent
        )
    end)

    it("takes an IPv6 address, and port 80 where none is named", function()
        http.get(with({}), { server = "[::1]:11434", name = "a" }, "/", function() return now end)
        assert.are.same({ "[::1]", 11434 }, { socket.host, socket.port })
        http.get(with({}), { server = "ollama", name = "a" }, "/", function() return now end)
        assert.are.same({ "ollama", 80 }, { socket.host, socket.port })
    end)

    it("gives up on a server that cannot be reached", function()
        with({})
        function socket.connect()
            return nil, "connection refused"
        end
        assert.are.same({ nil, "connection refused" }, { http.get(socket, TARGET, "/", function() return now end) })
        assert.are.equal(1, socket.closed)
    end)

    it("gives up on an answer that is none, breaks off, is too long or takes too long", function()
        assert.are.same({ nil, "the answer is not HTTP" }, { get({ "SSH-2.0\r\n\r\n" }) })
        assert.are.same({ nil, "the answer is not HTTP" }, { get({ "HTTP/1.1 200 OK\r\n" }) })
        assert.are.same({ nil, "the answer is not HTTP" }, { get({}) })
        assert.are.same({ nil, "timeout" }, { get({ "HTTP/1.1 200 OK\r\n\r\n" }, "timeout") })
        assert.are.same({ nil, "the answer is too long" }, { get({ ("a"):rep(1048577) }) })
        local pieces = {}
        for number = 1, 20 do
            pieces[number] = "a"
        end
        assert.are.same({ nil, "the answer takes too long" }, { get(pieces) })
        assert.are.equal(1, socket.closed)
    end)
end)
