-- list.lua: a project's live reservations, first the holds, then the others by deadline.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] count       at most so many of each
--
-- Returns {"list", alarm, {{id, deadline, text}, ...}}; deadline "0": a hold; text: amounts and note as in ledger.lua.

local count = tonumber(ARGV[3])
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local rows = {}
local pins = call('HGETALL', pinned)
for i = 1, #pins, 2 do
  if string.sub(pins[i], 1, 2) ~= 'i:' and #rows < count then rows[#rows + 1] = { pins[i], '0', pins[i + 1] } end
end
local live = call('ZRANGEBYSCORE', deadlines, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, count)
for i = 1, #live, 2 do
  rows[#rows + 1] = { live[i], live[i + 1], call('HGET', held, live[i]) or books.corrupt(deadlines) }
end
return { 'list', books.alarm, rows }
