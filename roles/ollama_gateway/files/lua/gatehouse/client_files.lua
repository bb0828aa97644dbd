-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The files of clients: read at the start, and again as soon as they change.

local watched_file = require "gatehouse.watched_file"
local watched_folder = require "gatehouse.watched_folder"

-- How large a file may be to be read in one go, in bytes, and in seconds how often a request looks whether one that is
-- larger has been read.
local AT_ONCE, WAIT = 262144, 0.002
-- Not 0: an nginx without OpenResty's patches would go on at once, before it looks for what others sent.
local A_MOMENT = 0.001

local _M = {}
local methods = {}

local function add(self, file)
    self.files[#self.files + 1] = file
    -- Read now: workers start with it, and damage shows in the log at once.
    if file:changed() then
        file:read()
    end
    return function()
        return file.good
    end
end

-- Returns a function that returns what the file of this name says; nil as long as it was never good.
function methods:watch(name, parse)
    return add(self, watched_file.new(self.folder .. "/" .. name, function(text, pause)
        local value, err = parse(text, pause)
        -- Before anything is judged by it.
        if value then
            self.changed()
        end
        return value, err
    end, self.log))
end

-- The same of a file that nobody is judged by, and that may be missing: nil while it is not there and sound.
function methods:watch_optional(name, parse)
    return add(self, watched_file.new(self.folder .. "/" .. name, parse, self.log, true))
end

-- Looks at each file. A large one is read a part at a time, between which others get their turn; not in a request,
-- which may be cut off.
function methods:look()
    for _, file in ipairs(self.files) do
        local size = file ~= self.in_turns and file:changed()
        if size and size > AT_ONCE and not self.in_turns and self.timer(self.read_in_turns, file) then
            self.in_turns = file
        elseif size then
            file:read()
        end
    end
end

local function wait(self)
    while self.in_turns do
        self.sleep(WAIT)
    end
end

-- Before a request is judged: what changed until now counts for it.
function methods:refresh()
    if self.in_turns then
        wait(self)
    end
    if self.watched_folder:stirred() then
        self:look()
        wait(self)
    end
end

-- To be called in each worker, before the first request.
function methods:begin()
    local err
    self.watched_folder, err = watched_folder.new(self.folder)
    if err then
        self.log(err .. "; each request looks at its files instead")
    end
    self:look()
end

-- `folder`: its path; `changed`: called when a file was read whose text is another than before; `log`: takes a message;
-- `sleep`: waits for seconds; `timer`: has a function called soon with an argument, outside of any request, and tells
-- whether it will.
function _M.new(options)
    local self = setmetatable(options, { __index = methods })
    self.files = {}
    local function pause()
        self.sleep(A_MOMENT)
    end
    function self.read_in_turns(file)
        local ok, err = pcall(file.read, file, pause)
        self.in_turns = nil
        if not ok then
            self.log("failed to read " .. file.path .. ": " .. err)
        end
        -- What was read before is as large.
        collectgarbage()
    end
    return self
end

return _M
