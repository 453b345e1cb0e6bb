-- hold.lua: keep a reservation for work that outlives it: it counts like a reservation and no longer expires.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- KEYS[5] tombstone   string  the reservation's final word, if it has one
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] id          reservation id
--
-- Returns {"held", alarm}: now or before | {"committed" | "rolledback" | "revoked" | "expired" | "unknown", alarm}: nothing
-- done.

local tombstone, id = KEYS[5], ARGV[3]

return answer(function()
  local word, text = find(id, tombstone)
  if word ~= 'reserved' then return { word } end
  add(holds, promised(take(id, word, text)), 1)
  write('HSET', pinned, id, text)
  return { 'held' }
end)
