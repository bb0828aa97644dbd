-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local errors = require "door.errors"

local function judged(status, connected, received)
    return { errors.judge(status, connected, received) }
end

describe("an error of the door", function()
    it("is 503 for another server to be asked where no byte of an answer came", function()
        assert.are.same({ 503, true }, judged(503), "draining")
        assert.are.same({ 503, true }, judged(502, "-", "0"), "refused")
        assert.are.same({ 503, true }, judged(502, "0.001", "0"), "hung up")
        assert.are.same({ 503, true }, judged(502, "0.001, -", "0, 0"), "hung up, then refused")
        assert.are.same({ 503, true }, judged(502), "no address")
        assert.are.same({ 503, true }, judged(504, "-", "0"), "not even connected")
    end)

    it("is another one where the server has begun, or may still be at work", function()
        assert.are.same({ 502, false }, judged(502, "0.001", "17"))
        assert.are.same({ 502, false }, judged(502, "0.001, 0.001", "0, 17"))
        assert.are.same({ 504, false }, judged(504, "0.001", "0"))
    end)

    it("is what it was where no server was asked", function()
        assert.are.same({ 403, false }, judged(403))
        assert.are.same({ 404, false }, judged(404))
        assert.are.same({ 500, false }, judged(418))
    end)

    it("speaks the dialect of the path", function()
        local message = '"message":"there is no such route"'
        local openai = '{"error":{' .. message .. ',"type":"invalid_request_error","param":null,"code":null}}\n'
        local anthropic = '{"type":"error","error":{"type":"not_found_error",' .. message .. "}}\n"
        for target, text in pairs({
            ["/api/x"] = '{"error":"there is no such route"}\n',
            ["/v1x"] = '{"error":"there is no such route"}\n',
            ["/v1"] = openai,
            ["/v1/x"] = openai,
            ["/v1/messagesx"] = openai,
            ["/v1/messages"] = anthropic,
            ["/v1/messages?a"] = anthropic,
            ["/v1/messages/x"] = anthropic,
        }) do
            assert.are.equal(text, errors.text(404, target), target)
        end
    end)
end)
