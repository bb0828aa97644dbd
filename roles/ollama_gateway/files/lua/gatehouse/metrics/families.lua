-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- What the gateway tells Prometheus: names, what they mean, and how lines of its text format, version 0.0.4, are
-- written.

local find, format, gsub = string.find, string.format, string.gsub
local concat, huge = table.concat, math.huge

-- In seconds. A model may take minutes to load, and an answer as long as it takes.
local LONG = { 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600 }
local FIRST = { 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 120, 300 }
local SHORT = { 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1 }

local _M = {}

-- Counted by the workers as requests end. `labels`, in this order.
_M.COUNTED = {
    {
        name = "gatehouse_requests_total",
        type = "counter",
        help = "Requests that went on to a server, by the status of the answer.",
        labels = { "client", "model", "route", "code" },
    },
    {
        name = "gatehouse_refused_requests_total",
        type = "counter",
        help = "Requests that the gateway refused itself; client is empty where nobody was known.",
        labels = { "client", "reason" },
    },
    {
        name = "gatehouse_tokens_total",
        type = "counter",
        help = "Tokens of prompts and of completions; source counted is an estimate of an answer that was not whole.",
        labels = { "client", "model", "type", "source" },
    },
    {
        name = "gatehouse_failed_over_total",
        type = "counter",
        help = "Requests that failed at a server behind a door before an answer, and went on to another.",
        labels = { "server" },
    },
    {
        name = "gatehouse_request_duration_seconds",
        type = "histogram",
        help = "From the first byte of a request that went on to a server to the last one of its answer.",
        labels = { "model", "route" },
        buckets = LONG,
    },
    {
        name = "gatehouse_first_chunk_seconds",
        type = "histogram",
        help = "From the first byte of a request to the first one of its streamed answer, loading the model included.",
        labels = { "model", "route" },
        buckets = FIRST,
    },
    {
        name = "gatehouse_token_seconds",
        type = "histogram",
        help = "Mean time of a token behind the first one, of each streamed answer.",
        labels = { "model", "route" },
        buckets = SHORT,
    },
}

-- Looked up when they are asked for.
_M.FOUND = {
    requests_in_flight = { "gauge", "Requests that went on to a server and whose answer has not ended." },
    requests_waiting = { "gauge", "The part of these that waits for a server which is replaced." },
    server_up = { "gauge", "Whether the server answered when it was last looked at." },
    server_looked_at_timestamp_seconds = { "gauge", "When the server was last looked at." },
    server_requests = { "gauge", "Requests of all gateways that a server behind a door had then." },
    server_draining = { "gauge", "Whether a server behind a door was draining then." },
    model_size_bytes = { "gauge", "Memory that a loaded model takes on a server." },
    model_vram_bytes = { "gauge", "The part of that which is memory of a GPU." },
    certificate_expiry_timestamp_seconds = { "gauge", "When the certificate that clients are shown ends." },
    client_limit = { "gauge", "What a limit of a client allows; model is a pattern where the limit is on models." },
    client_limit_used = { "gauge", "What is used of that limit." },
    valkey_up = { "gauge", "Whether the Valkey by which gateways share limits took what was last sent to it." },
    ledger_lag_seconds = { "gauge", "How long the oldest line has waited to be written to the ledger." },
    ledger_pending_lines = { "gauge", "Lines that wait to be written to the ledger." },
    ledger_lost_lines_total = { "counter", "Lines that will never be in the ledger." },
    worker_restarts_total = { "counter", "Workers that took the place of one that died." },
    metrics_series = { "gauge", "Series of requests that are kept." },
    metrics_dropped_total = { "counter", "Observations that were dropped since there were too many series." },
}

-- A value between quotes. One byte that is no UTF-8 would cost Prometheus all lines.
function _M.escape(value)
    if find(value, '[\\"%c\128-\255]') then
        value = gsub(gsub(value, '[\\"]', "\\%0"), "[%c\128-\255]+", "?")
    end
    return value
end

-- The text of labels. `names` and `values` in the same order.
function _M.labels(names, values)
    local parts = {}
    for i, name in ipairs(names) do
        parts[i] = name .. '="' .. _M.escape(values[i]) .. '"'
    end
    return concat(parts, ",")
end

-- How many lines one set of labels takes.
function _M.lines_of(family)
    return family.buckets and #family.buckets + 3 or 1
end

-- LuaJIT writes all others as whole numbers or with up to 14 digits.
local function number(value)
    if value < 1e14 then
        return value
    end
    return value == huge and "+Inf" or format("%.17g", value)
end

-- What stands before the lines of a name.
function _M.head(name, kind, help)
    return format("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
end

-- One line. `labels`: their text, empty for none.
function _M.line(name, labels, value)
    return name .. (labels == "" and "" or "{" .. labels .. "}") .. " " .. number(value) .. "\n"
end

-- The lines of a histogram. `counts`: how many fell into each bucket and, last, beyond all; `sum`: of all together.
function _M.histogram(family, labels, counts, sum)
    local name, total, lines = family.name, 0, {}
    local comma = labels == "" and "" or ","
    for i = 1, #family.buckets + 1 do
        total = total + counts[i]
        local bound = labels .. comma .. 'le="' .. number(family.buckets[i] or huge) .. '"'
        lines[i] = _M.line(name .. "_bucket", bound, total)
    end
    lines[#lines + 1] = _M.line(name .. "_sum", labels, sum)
    lines[#lines + 1] = _M.line(name .. "_count", labels, total)
    return concat(lines)
end

return _M
