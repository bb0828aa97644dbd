-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Names of models as Ollama reads them, and patterns on them. One model has many names: `tiny`, `library/tiny:latest`
-- and `https://registry.ollama.ai/library/TINY` are the same.

local remembering = require "gatehouse.remembering"

local find, gmatch = string.find, string.gmatch
local gsub, lower, match = string.gsub, string.lower, string.match

local PARTS = { "host", "namespace", "model", "tag" }
local DEFAULTS = { host = "registry.ollama.ai", namespace = "library", tag = "latest" }
-- How long Ollama lets them be.
local LONGEST_PART = { host = 350, namespace = 80, model = 80, tag = 80 }
local LONGEST = #"https://" + 350 + #"/" + 80 + #"/" + 80 + #":" + 80

local _M = {}

-- From the right: the tag behind the last colon if that is behind the last slash, then model, namespace and host.
local function split(name)
    local parts = {}
    local rest, tag = match(name, "^(.*):([^:/]*)$")
    if rest then
        name, parts.tag = rest, tag
    end
    local head, model = match(name, "^(.*)/([^/]*)$")
    parts.model = model or name
    if not head then
        return parts
    end
    local host, namespace = match(head, "^(.*)/([^/]*)$")
    parts.namespace = namespace or head
    if host then
        parts.host = match(host, "^.-://(.*)$") or host
    end
    return parts
end

-- What Go takes for a blank: one byte of ASCII, or one of these in UTF-8.
local BLANKS = {
    "%s", "\194[\133\160]", "\225\154\128", "\226\128[\128-\138\168\169\175]", "\226\129\159", "\227\128\128",
}

-- Without blanks at the beginning and the end. Hardly any name has some.
local function trim(text)
    local before
    while text ~= before and not (find(text, "^[!-~]") and find(text, "[!-~]", -1)) do
        before = text
        for _, blank in ipairs(BLANKS) do
            text = match(text, "^" .. blank .. "(.*)$") or text
            text = match(text, "^(.*)" .. blank .. "$") or text
        end
    end
    return text
end

local meant = remembering.new(function(name)
    name = trim(name)
    local rest, tag = match(name, "^(.+):([^:]*)$")
    return rest and lower(trim(tag)) == "local" and rest or name
end, LONGEST)

-- The name of the model that Ollama runs or shows when it is asked for this: without blanks around it, and without the
-- word that means one of this server rather than of ollama.com. Not all that makes or removes models reads names so.
function _M.meant(name)
    return #name > LONGEST and name or meant(name)
end

-- Returns {host, namespace, model, tag}, in small letters and with Ollama's defaults; or nil and an error.
function _M.canonical(name)
    local parts = split(name)
    for _, part in ipairs(PARTS) do
        local value = lower(parts[part] or DEFAULTS[part])
        local form = part == "host" and "^[%w][%w._:-]*$" or "^[%w_][%w._-]*$"
        if #value > LONGEST_PART[part] or not find(value, form) then
            return nil, "this cannot be the name of a model"
        end
        parts[part] = value
    end
    return parts
end

-- What stands between the asterisks of a pattern, in order: each as a pattern of Lua without repetitions, which has one
-- length and costs no backtracking.
local function pieces_of(glob)
    local pieces = {}
    for piece in gmatch(lower(glob) .. "*", "([^*]*)%*") do
        pieces[#pieces + 1] = { length = #piece, text = gsub(gsub(piece, "[^%w?]", "%%%0"), "%?", ".") }
    end
    return pieces
end

local function compile(glob)
    local name = _M.meant(glob)
    local parts = split(name)
    if not parts.tag and name == glob and find(parts.model, "[*?]") then
        parts.tag = "*"
    end
    local patterns = {}
    for _, part in ipairs(PARTS) do
        patterns[part] = pieces_of(parts[part] or DEFAULTS[part])
    end
    return patterns
end

-- A function of a name that is remembered. What is longer than any name is none.
local function of_name(judge)
    local remembered = remembering.new(judge, LONGEST)
    return function(name)
        return #name <= LONGEST and remembered(name)
    end
end

-- Whether this can be the name of a model.
_M.is_name = of_name(function(name)
    return _M.canonical(name) ~= nil
end)

-- One name for all that mean the same model: as Ollama lists it, in small letters, without its defaults but the tag;
-- false for what can be no name.
_M.listed = of_name(function(name)
    local parts = _M.canonical(name)
    if not parts then
        return false
    end
    local text = parts.model .. ":" .. parts.tag
    if parts.host ~= DEFAULTS.host then
        return parts.host .. "/" .. parts.namespace .. "/" .. text
    end
    return parts.namespace ~= DEFAULTS.namespace and parts.namespace .. "/" .. text or text
end)

-- The first piece begins the text and the last ends it; each other one is taken where it comes first behind the one
-- before, which leaves most to the next. So no more than one way has to be tried.
local function fits(text, pieces)
    local first, last = pieces[1], pieces[#pieces]
    if #pieces == 1 then
        return #text == first.length and find(text, "^" .. first.text) ~= nil
    end
    local position, tail = first.length + 1, #text - last.length + 1
    if position > tail or not find(text, "^" .. first.text) or not find(text, "^" .. last.text, tail) then
        return false
    end
    for i = 2, #pieces - 1 do
        local found = find(text, pieces[i].text, position)
        if not found or found + pieces[i].length > tail then
            return false
        end
        position = found + pieces[i].length
    end
    return true
end

local function matches(name, patterns)
    for _, part in ipairs(PARTS) do
        if not fits(name[part], patterns[part]) then
            return false
        end
    end
    return true
end

-- Returns a function that tells whether a name is one of those that the glob patterns mean. `*` and `?` stand for any
-- characters of one part; a pattern without a tag means `latest`, or any tag if it has a wildcard for the model. The
-- pattern `*` alone means every name, even one that Ollama would refuse.
function _M.matcher(globs)
    local compiled = {}
    for i, glob in ipairs(globs) do
        if glob == "*" then
            return function() return true end
        end
        compiled[i] = compile(glob)
    end
    return of_name(function(name)
        local parts = _M.canonical(name)
        for _, patterns in ipairs(parts and compiled or {}) do
            if matches(parts, patterns) then
                return true
            end
        end
        return false
    end)
end

return _M
