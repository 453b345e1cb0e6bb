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
-- Returns {"list", alarm, JSON [[id, deadline, deltas], ...]}; deadline 0: a hold; deltas as in ledger.lua.

local count = tonumber(ARGV[3])

return answer(function()
  local rows = {}
  local pins = read('HGETALL', pinned)
  for i = 1, #pins, 2 do
    if string.sub(pins[i], 1, 2) ~= 'r:' and #rows < count then
      rows[#rows + 1] = { pins[i], 0, deltas_of(pins[i + 1], pinned) }
    end
  end
  -- What this call reclaims is still in the set.
  local live = read('ZRANGEBYSCORE', deadlines, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
  for i = 1, #live, 2 do
    local text = read('HGET', held, live[i]) or refuse('corrupt', '', deadlines)
    rows[#rows + 1] = { live[i], tonumber(live[i + 1]), deltas_of(text, held) }
  end
  return { 'list', #rows > 0 and cjson.encode(rows) or '[]' }
end)
