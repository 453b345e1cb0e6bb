-- rebuild_end.lua: put a project's sums in, as the records have them, for this incarnation of the server.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] owner       as given to rebuild_begin
-- ARGV[4] sums        JSON [[resource, amount], ...]: in use
-- ARGV[5] holds       JSON [[id, amounts as text], ...]: decided holds
-- ARGV[6] settled     JSON [[id, word, until], ...]: what the records have decided; until: ms, 0: kept for `keep`
--
-- Returns {"done"} | {"lost"}: the lease is over, and nothing was changed: begin again.
-- Reservations that were not decided are forgotten: their commit finds nothing, and their flow reverts.

local owner = ARGV[3]
local in_use, holds, settled = cjson.decode(ARGV[4]), cjson.decode(ARGV[5]), cjson.decode(ARGV[6])

local taken = redis.pcall('HGET', usage, 'lease')
if type(taken) ~= 'string' then return { 'lost' } end
local holder, ends = string.match(taken, '^(%S+) (%d+)$')
if holder ~= owner or tonumber(ends) <= now then return { 'lost' } end

local on_hold = {}
for _, hold in ipairs(holds) do
  local fields, amounts = ledger().parse(hold[2], pinned)
  for i, field in ipairs(fields) do
    if amounts[i] > 0 then on_hold[field] = (on_hold[field] or 0) + amounts[i] end
  end
end

call('DEL', usage, held, deadlines, pinned)
call('HSET', usage, 'tok', TOK)
for _, sum in ipairs(in_use) do call('HSET', usage, 'i:' .. sum[1], string.format('%d', sum[2])) end
for field, sum in pairs(on_hold) do call('HSET', pinned, field, string.format('%d', sum)) end
for _, hold in ipairs(holds) do call('HSET', pinned, hold[1], hold[2]) end
for _, row in ipairs(settled) do
  local id, word, kept_until = row[1], row[2], row[3]
  if kept_until == 0 then
    call('SET', tombstones .. id, word, 'PX', keep)
  elseif kept_until > now then
    call('SET', tombstones .. id, word, 'PXAT', kept_until + 1000)
  end
end
return { 'done' }
