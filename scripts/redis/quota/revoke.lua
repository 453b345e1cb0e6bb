-- revoke.lua: undo a reservation whatever became of it. The SQL row must say so first.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- KEYS[5] tombstone   string  the reservation's final word, if it has one
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] id          reservation id
-- ARGV[4] deltas      JSON [[resource, amount], ...]: what was reserved
--
-- Returns {"rolledback", alarm}: it was not committed yet | {"revoked", alarm}: it was, and is taken back; both: now or
-- before | {"expired" | "unknown", alarm}: nothing done.

local tombstone, id, deltas = KEYS[5], ARGV[3], cjson.decode(ARGV[4])

return answer(function()
  local word, text = find(id, tombstone)
  if word == 'reserved' or word == 'held' then
    take(id, word, text)
    write('SET', tombstone, 'rolledback', 'PX', keep)
    return { 'rolledback' }
  end
  if word == 'committed' then
    add(in_use, deltas, -1)
    write('SET', tombstone, 'revoked', 'PX', keep)
    return { 'revoked' }
  end
  return { word }
end)
