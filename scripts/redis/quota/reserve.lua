-- reserve.lua: reserve amounts for a project; all of them, or none.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- KEYS[5] tombstone   string  the reservation's final word, if it has one
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] id          reservation id
-- ARGV[4] ttl         ms until the reservation expires
-- ARGV[5] deltas      JSON [[resource, amount], ...], by name; a negative amount is never over and counts from the
--                     commit on
-- ARGV[6] limits      JSON [limit, ...], in the order of deltas; negative: none
--
-- Returns {"reserved", alarm, deadline}: also when the id is reserved already, with its first deadline
--       | {"over" | "overflow", alarm, JSON [[resource, limit, in use, reserved, asked], ...]}: all that are over
--       | {"settled", alarm, word}: the id was reserved before and is committed, held, expired, ...
--       | {"differs", alarm}: the id is reserved with other deltas.
-- Rule: cinder/db/api.py, quota_reserve: allowed <=> limit < 0 or asked < 0 or in use + reserved + asked <= limit.

local MAX_TRACKED = 2147483647

local tombstone, id, ttl, asked_text, limits = KEYS[5], ARGV[3], tonumber(ARGV[4]), ARGV[5], cjson.decode(ARGV[6])

return answer(function()
  local word, text = find(id, tombstone)
  if word == 'reserved' then
    if text ~= asked_text then return { 'differs' } end
    local deadline = read('ZSCORE', deadlines, id) or refuse('corrupt', '', deadlines)
    return { 'reserved', deadline }
  end
  if word ~= 'unknown' then return { 'settled', word } end

  local deltas = cjson.decode(asked_text)
  fetch(in_use, deltas)
  fetch(reserved, deltas)
  fetch(holds, deltas)

  local over, overflow = {}, {}
  for i, delta in ipairs(deltas) do
    local resource, asked, limit = delta[1], delta[2], limits[i]
    local used, waiting = in_use.of[resource], reserved.of[resource] + holds.of[resource]
    local row = { resource, limit, used, waiting, asked }
    if asked > 0 and used + waiting + asked > MAX_TRACKED then overflow[#overflow + 1] = row end
    if asked >= 0 and limit >= 0 and used + waiting + asked > limit then over[#over + 1] = row end
  end
  if #overflow > 0 then return { 'overflow', cjson.encode(overflow) } end
  if #over > 0 then return { 'over', cjson.encode(over) } end

  -- Held and deadlines vanish at one instant, after the last deadline in them: one alone would leave wrong sums.
  local deadline = now + ttl
  local vanish = math.max(deadline + keep, redis.call('PEXPIRETIME', held), redis.call('PEXPIRETIME', deadlines))
  add(reserved, promised(deltas), 1)
  write('HSET', held, id, asked_text)
  write('ZADD', deadlines, deadline, id)
  write('PEXPIREAT', held, vanish)
  write('PEXPIREAT', deadlines, vanish)
  return { 'reserved', string.format('%.0f', deadline) }
end)
