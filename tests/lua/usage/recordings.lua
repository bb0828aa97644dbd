-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Exchanges recorded from a real server: what a gateway would see of their answers.

local FOLDER = "tests/component/fixtures/ollama/"
local FORMS = {
    ["/api/generate"] = "generate",
    ["/api/chat"] = "chat",
    ["/v1/chat/completions"] = "chat_completions",
    ["/v1/completions"] = "completions",
    ["/v1/responses"] = "responses",
    ["/v1/messages"] = "messages",
    ["/api/embed"] = "embed",
    ["/v1/embeddings"] = "embeddings_v1",
    ["/api/embeddings"] = "embeddings_legacy",
}

local _M = {}

local function without_chunks(body)
    local parts, from = {}, 1
    while true do
        local size, start = body:match("^(%x+)\r\n()", from)
        if not size then
            return table.concat(parts), false
        elseif tonumber(size, 16) == 0 then
            return table.concat(parts), true
        end
        parts[#parts + 1] = body:sub(start, start + tonumber(size, 16) - 1)
        from = start + tonumber(size, 16) + 2
    end
end

-- Returns its form, status and body, whether the body is whole, whether some of its lines are missing, and its request;
-- or nil if it is no exchange with a model.
function _M.read(name)
    local file = assert(io.open(FOLDER .. name .. ".txt", "rb"))
    local text = file:read("*a")
    file:close()
    local command, status, head, body = text:match("^(.-\n)HTTP/1.1 (%d+)(.-\r\n)\r\n(.*)$")
    local form = command and FORMS[command:match("http://[^/]+(/[^%s?\\]*)") or ""]
    if not form or command:find("%-X ") or command:find("%-I ") then
        return nil
    end
    local whole = not body:find("\ncurl rc ", 1, true)
    body = body:gsub("\ncurl rc %d+\n$", ""):gsub("\n$", "")
    if command:find(" %-%-raw ") and head:find("chunked") then
        body, whole = without_chunks(body)
    end
    local cut
    body, cut = body:gsub("%[%.%.%. %d+ lines left out %.%.%.%]\n", "")
    return { name = name, form = form, status = tonumber(status), body = body, whole = whole, is_cut = cut > 0,
        command = command }
end

-- All exchanges with a model, by name.
function _M.all()
    local listing = assert(io.popen("ls " .. FOLDER))
    local found = {}
    for name in listing:lines() do
        found[#found + 1] = _M.read(name:gsub("%.txt$", ""))
    end
    listing:close()
    assert(#found > 150)
    return found
end

-- A text in pieces of this size.
function _M.in_pieces(text, size)
    local pieces = {}
    for from = 1, #text, size do
        pieces[#pieces + 1] = text:sub(from, from + size - 1)
    end
    return pieces
end

return _M
