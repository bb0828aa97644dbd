-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Names of models as Ollama reads them, and patterns on them. One model has many names: `tiny`, `library/tiny:latest`
-- and `https://registry.ollama.ai/library/TINY` are the same.

local find = string.find
local gsub = string.gsub
local ipairs = ipairs
local lower = string.lower
local match = string.match

local PARTS = { "host", "namespace", "model", "tag" }
local DEFAULTS = { host = "registry.ollama.ai", namespace = "library", tag = "latest" }

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

-- Returns {host, namespace, model, tag}, in small letters and with Ollama's defaults; or nil and an error.
function _M.canonical(name)
    local parts = split(name)
    for _, part in ipairs(PARTS) do
        local value = lower(parts[part] or DEFAULTS[part])
        local form = part == "host" and "^[%w][%w._:-]*$" or "^[%w_][%w._-]*$"
        if not find(value, form) then
            return nil, "this cannot be the name of a model"
        end
        parts[part] = value
    end
    return parts
end

local function lua_pattern(glob)
    local escaped = gsub(lower(glob), "[^%w*?]", "%%%0")
    return "^" .. gsub(gsub(escaped, "%*", ".*"), "%?", ".") .. "$"
end

local function compile(glob)
    local parts = split(glob)
    if not parts.tag and find(parts.model, "[*?]") then
        parts.tag = "*"
    end
    local patterns = {}
    for _, part in ipairs(PARTS) do
        patterns[part] = lua_pattern(parts[part] or DEFAULTS[part])
    end
    return patterns
end

-- How many names a matcher remembers, and how long one of them may be: clients choose them, so both have an end.
local REMEMBERED, LONGEST = 1000, 256

-- What a function of a name returned once it returns again without being asked.
local function remembering(judge)
    local verdicts, count = {}, 0
    return function(name)
        local verdict = verdicts[name]
        if verdict == nil then
            verdict = judge(name)
            if count == REMEMBERED then
                verdicts, count = {}, 0
            end
            if #name <= LONGEST then
                verdicts[name], count = verdict, count + 1
            end
        end
        return verdict
    end
end

-- Whether this can be the name of a model, and is no longer than any real one.
_M.is_name = remembering(function(name)
    return #name <= LONGEST and _M.canonical(name) ~= nil
end)

local function matches(name, patterns)
    for _, part in ipairs(PARTS) do
        if not find(name[part], patterns[part]) then
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
    return remembering(function(name)
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
