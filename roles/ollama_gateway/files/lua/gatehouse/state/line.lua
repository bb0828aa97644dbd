-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The line of one worker to the store. What requests ask while a message is under way goes into the next one, so that
-- many share what a message costs; and all is done in the order in which it was asked, so that nothing renews what has
-- ended.

local _M = {}
local methods = {}

-- In seconds: longer than any message takes. And how many calls one has, and how many may wait that nobody waits for.
local LONGEST, BATCH, MOST_TOLD = 5, 100, 10000

local function add(self, call)
    self.last = self.last + 1
    self.queue[self.last] = call
    self.wake()
end

-- Runs a script of state/scripts.lua. Returns the reply; or nil where the store is lost.
function methods:call(name, keys, args)
    if self.store:is_lost() then
        return nil
    end
    local free = self.free
    local waiter = free[#free] or self.new_waiter()
    free[#free] = nil
    local call = { name, keys, args, waiter = waiter }
    self.waiting = self.waiting + 1
    add(self, call)
    local was_answered = waiter:wait(LONGEST)
    self.waiting = self.waiting - 1
    if not was_answered then
        -- Its waiter may be woken yet, and is nobody else's.
        return nil
    end
    free[#free + 1] = waiter
    return call.reply
end

-- The same without waiting for it. `again`: with what it is sent once more where it may not have arrived; nil if that
-- does not matter.
function methods:tell(name, keys, args, again)
    if self.last - self.first + 1 < MOST_TOLD then
        add(self, { name, keys, args, again = again })
    end
end

-- The same before all that waits.
function methods:tell_first(name, keys, args)
    self.first = self.first - 1
    self.queue[self.first] = { name, keys, args }
end

local function take(self)
    local batch = {}
    while self.first <= self.last and #batch < BATCH do
        batch[#batch + 1], self.queue[self.first] = self.queue[self.first], nil
        self.first = self.first + 1
    end
    return batch
end

local function answer(call, reply)
    call.reply = reply
    if call.waiter then
        call.waiter:post(1)
    end
end

-- Nobody waits any longer; what has to arrive comes first the next time.
local function give_up(self, batch)
    local kept = {}
    repeat
        for _, call in ipairs(batch) do
            if call.again then
                call[3] = call.again
                kept[#kept + 1] = call
            else
                answer(call, nil)
            end
        end
        batch = take(self)
    until #batch == 0
    self.queue, self.first, self.last = kept, 1, #kept
end

-- Sends all that waits. Returns whether it went well; false where the store is lost.
function methods:turn()
    if self.waiting == 0 and self.store:is_lost() then
        return false
    end
    while self.first <= self.last do
        local batch = take(self)
        local replies = not self.store:is_lost() and self.store:call_all(batch)
        if not replies then
            give_up(self, batch)
            return false
        end
        for i, call in ipairs(batch) do
            answer(call, replies[i] or nil)
        end
    end
    return true
end

function methods:is_empty()
    return self.first > self.last
end

-- `store`: as state/store.lua makes it; `new_waiter`: as ngx.semaphore has it; `wake`: has `turn` called soon.
function _M.new(options)
    options.queue, options.first, options.last, options.free, options.waiting = {}, 1, 0, {}, 0
    return setmetatable(options, { __index = methods })
end

return _M
