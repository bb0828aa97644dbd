-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Walks through a form (multipart/form-data: RFC 7578, RFC 2046) that comes in pieces, strictly, and holds no more of
-- it than a piece and the head of a part. The boundary stands between parts and nowhere else, and lines end with CR
-- and LF: what a lenient reader could cut in another place is an error here.

local refusal = require "gatehouse.refusal"

local max = math.max
local catch, fail = refusal.catch, refusal.fail
local find, sub = string.find, string.sub

-- Of the headers of one part.
local LONGEST_HEAD = 4096
-- As Go, which takes no more; each costs as much as thousands of bytes that are skipped.
local MOST_PARTS = 1000

local _M = {}

-- Adds the next piece to what is not taken yet.
local function refill(self)
    local piece = self.next_piece()
    if not piece then
        fail("the form ends before its last boundary")
    end
    self.text, self.position = sub(self.text, self.position) .. piece, 1
end

local function take(self, count)
    while #self.text - self.position + 1 < count do
        refill(self)
    end
    self.position = self.position + count
    return sub(self.text, self.position - count, self.position - 1)
end

-- Takes what comes before `mark`, at most `limit` bytes of it, and the mark.
local function take_before(self, mark, limit)
    while true do
        local first, last = find(self.text, mark, self.position, true)
        if (first or #self.text - #mark + 2) - self.position > limit then
            fail("the form has headers or a name that are too long")
        end
        if first then
            local taken = sub(self.text, self.position, first - 1)
            self.position = last + 1
            return taken
        end
        refill(self)
    end
end

-- Takes the content of a part that is of no interest, and the mark behind it. Returns the last two bytes before it.
local function skip_before(self, mark)
    while true do
        local first, last = find(self.text, mark, self.position, true)
        if first then
            local taken = sub(self.text, max(self.position, first - 2), first - 1)
            self.position = last + 1
            return taken
        end
        -- The next piece may complete a mark that has begun here, and two bytes before it count.
        self.position = max(self.position, #self.text - #mark - 1)
        refill(self)
    end
end

-- Nothing but the end of the line may follow the last boundary.
local function finish(self)
    local rest = sub(self.text, self.position)
    for piece in self.next_piece do
        rest = sub(rest .. piece, 1, 3)
    end
    if rest ~= "" and rest ~= "\r\n" then
        fail("something follows the last boundary of the form")
    end
end

local function walk(self, boundary, part)
    local mark = "--" .. boundary
    if take(self, #mark) ~= mark then
        fail("the form does not begin with its boundary")
    end
    local sign, parts = take(self, 2), 0
    while sign == "\r\n" do
        parts = parts + 1
        if parts > MOST_PARTS then
            fail("the form has more parts than a form can have")
        end
        local limit, use = part(take_before(self, "\r\n\r\n", LONGEST_HEAD))
        local content = limit and take_before(self, mark, limit + 2) or skip_before(self, mark)
        if sub(content, -2) ~= "\r\n" then
            fail("the form has its boundary within a line")
        end
        if limit then
            use(sub(content, 1, -3))
        end
        sign = take(self, 2)
    end
    if sign ~= "--" then
        fail("something follows a boundary of the form on its line")
    end
    finish(self)
end

-- `next_piece` returns the form piece by piece, and nil at its end. `part` is called with the headers of each part,
-- their lines separated by CR and LF; to be told of its content it returns how long that may be and a function.
-- Returns true; or nil and what is wrong, without a word of the text.
function _M.scan(next_piece, boundary, part)
    return catch(walk, { next_piece = next_piece, text = "", position = 1 }, boundary, part)
end

return _M
