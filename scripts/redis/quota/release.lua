-- release.lua: give back what a destroyed resource used.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- KEYS[5] tombstone   string  "released", if this release was applied
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] deltas      JSON [[resource, amount], ...]: what to give back
-- ARGV[4] until       ms, Redis's TIME: from then on the release is refused. The same for every attempt of a release
--
-- Returns {"released", alarm}: now or before | {"late", alarm}: nothing done.
-- The tombstone outlives `until`, so that a paused process cannot apply a release twice.

local tombstone, deltas, deadline = KEYS[5], cjson.decode(ARGV[3]), tonumber(ARGV[4])

return answer(function()
  if now >= deadline then return { 'late' } end
  local word = read('GET', tombstone)
  if word then return { word } end
  add(in_use, deltas, -1)
  write('SET', tombstone, 'released', 'PXAT', deadline + 1000)
  return { 'released' }
end)
