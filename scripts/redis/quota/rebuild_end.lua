-- rebuild_end.lua: put a project's sums in, as the records have them, for this incarnation of the server.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- ARGV[1] tombstones  key prefix, "{project}:t:"
-- ARGV[2] keep        ms for which a settled reservation's word is kept
-- ARGV[3] owner       as given to rebuild_begin
-- ARGV[4] sums        JSON [[resource, amount], ...]: in use
-- ARGV[5] holds       JSON [[id, deltas], ...]: decided holds; deltas: JSON [[resource, amount], ...] as text
-- ARGV[6] settled     JSON [[id, word, until], ...]: what the records have decided; until: ms, 0: kept for `keep`
--
-- Returns {"done"} | {"lost"}: the lease is over, and nothing was changed: begin again.
-- Reservations that were not decided are forgotten: their commit finds nothing, and their flow reverts.

local usage, held, deadlines, pinned = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tombstones, keep, owner = ARGV[1], ARGV[2], ARGV[3]
local sums, holds, settled = cjson.decode(ARGV[4]), cjson.decode(ARGV[5]), cjson.decode(ARGV[6])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local taken = redis.pcall('HGET', usage, 'lease')
if type(taken) ~= 'string' then return { 'lost' } end
local holder, ends = string.match(taken, '^(%S+) (%d+)$')
if holder ~= owner or tonumber(ends) <= now then return { 'lost' } end

local pinned_sums = {}
for _, hold in ipairs(holds) do
  for _, delta in ipairs(cjson.decode(hold[2])) do
    if delta[2] > 0 then pinned_sums[delta[1]] = (pinned_sums[delta[1]] or 0) + delta[2] end
  end
end

redis.call('DEL', usage, held, deadlines, pinned)
redis.call('HSET', usage, 'tok', TOK)
for _, sum in ipairs(sums) do redis.call('HSET', usage, 'i:' .. sum[1], string.format('%.0f', sum[2])) end
for resource, sum in pairs(pinned_sums) do redis.call('HSET', pinned, 'r:' .. resource, string.format('%.0f', sum)) end
for _, hold in ipairs(holds) do redis.call('HSET', pinned, hold[1], hold[2]) end
for _, row in ipairs(settled) do
  local id, word, kept_until = row[1], row[2], row[3]
  if kept_until == 0 then
    redis.call('SET', tombstones .. id, word, 'PX', keep)
  elseif kept_until > now then
    redis.call('SET', tombstones .. id, word, 'PXAT', kept_until + 1000)
  end
end
return { 'done' }
