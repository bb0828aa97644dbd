-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Reads which models a form names. Ollama asks Go for the value of the form: there the query comes before the body,
-- the first field of several counts, a field with the name of a file is none, what stands in `name*` comes before
-- `name`, and a part may be encoded. So a form is taken only where nothing of that can make a difference, written as
-- real clients write it.

local form_scanner = require "gatehouse.form_scanner"
local refusal = require "gatehouse.refusal"

local fail = refusal.fail
local char, find, gmatch = string.char, string.find, string.gmatch
local gsub, lower, match = string.gsub, string.lower, string.match

local LONGEST_NAME = 1024
local LONGEST_BOUNDARY = 70

-- A form knows no others (RFC 7578, section 4.8). The length is some clients' habit, and nobody reads it.
local HEADERS = { ["content-disposition"] = true, ["content-type"] = true, ["content-length"] = true }
local PARAMETERS = { name = true, filename = true, ["filename*"] = true }
-- Backslashes within quotes mean different things to different readers, also to those of one language.
local QUOTED = '^; *([a-z*]+)="([^"\\]*)"(.*)$'
local TOKEN = "^; *([a-z*]+)=([%w!#$%%&'*+.^_`|~-]+)(.*)$"

local _M = {}

-- Returns the boundary that a Content-Type header declares; nil if it is anything but that of a form.
local function read_boundary(content_type)
    local kind, value = match(content_type or "", "^([^=]+)=(.*)$")
    if not kind or not find(lower(kind), "^multipart/form%-data; *boundary$") then
        return nil
    end
    local boundary = match(value, "^[%w'+_.-]+$") or match(value, "^\"([%w'+_.=-]+)\"$")
    return boundary and #boundary <= LONGEST_BOUNDARY and boundary or nil
end

-- Whether a query may have a parameter of that name: more than that is refused, such as its value.
local function mentions(query, field)
    local decoded = gsub(query, "%%(%x%x)", function(digits) return char(tonumber(digits, 16)) end)
    return find(lower(decoded), field, 1, true) ~= nil
end

local function read_headers(head)
    local headers = {}
    for line in gmatch(head .. "\r\n", "(.-)\r\n") do
        local name, value = match(line, "^([%a-]+): *([^%c ][^%c]*)$")
        name = lower(name or "")
        if not HEADERS[name] or headers[name] then
            fail("a part of the form has another header than its disposition and type")
        end
        headers[name] = value
    end
    return headers
end

local function read_disposition(value)
    local rest, found = match(value or "", "^form%-data(.*)$"), {}
    while rest and rest ~= "" do
        local key, text, tail = match(rest, QUOTED)
        if not key then
            key, text, tail = match(rest, TOKEN)
        end
        if not PARAMETERS[key] or found[key] then
            fail("a part of the form has a name that could be read in two ways")
        end
        found[key], rest = text, tail
    end
    if not find(found.name or "", "^[%w_.%[%]-]+$") then
        fail("a part of the form has no name, or a name with unusual characters")
    end
    return found
end

-- `next_piece` returns the form piece by piece, nil at its end; `fields`: those that name a model; `content_type` and
-- `query`: those of the request, if it has them. Returns the names; or nil and what is wrong, a sentence that quotes
-- nothing.
function _M.read(next_piece, fields, content_type, query)
    local boundary = read_boundary(content_type)
    if not boundary then
        return nil, "the body is not declared as one form with a sound boundary"
    end
    local watched, seen, names = {}, {}, {}
    for _, field in ipairs(fields) do
        watched[field] = true
        if mentions(query or "", field) then
            return nil, "the query could name a model too"
        end
    end
    local ok, err = form_scanner.scan(next_piece, boundary, function(head)
        local headers = read_headers(head)
        local disposition = read_disposition(headers["content-disposition"])
        local kind = lower(headers["content-type"] or "text/plain")
        if find(kind, "^multipart/") or find(kind, "^message/") then
            fail("a part of the form has parts itself")
        end
        local field = lower(disposition.name)
        if not watched[field] then
            return nil
        end
        if disposition.name ~= field or seen[field] then
            fail("the form names the model twice, or in another spelling than small letters")
        end
        if disposition.filename or disposition["filename*"]
            or kind ~= "text/plain" and not find(kind, "^text/plain; *charset=utf%-8$") then
            fail("the form names the model in something else than text")
        end
        seen[field] = true
        return LONGEST_NAME, function(name)
            if find(name, "%c") then
                fail("the name of the model has control characters")
            end
            if name ~= "" then
                names[#names + 1] = name
            end
        end
    end)
    if not ok then
        return nil, err
    end
    return names
end

return _M
