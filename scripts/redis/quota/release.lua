-- release.lua: give back what a destroyed resource used.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- KEYS[5] tombstone   string  "released", if this release was applied
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] text        what to give back, as text
-- ARGV[4] until       ms, Redis's TIME: from then on the release is refused. The same for every attempt of a release
--
-- Returns {"released", alarm}: now or before | {"late", alarm}: nothing done.
-- The tombstone outlives `until`, so that a paused process cannot apply a release twice.

local text, deadline = ARGV[3], tonumber(ARGV[4])
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

if now >= deadline then return { 'late', books.alarm } end
local word = call('GET', tombstone)
if word then return { word, books.alarm } end
local fields, amounts = books.parse(text, usage)
books.add(usage, fields, amounts, -1)
books.write('SET', tombstone, 'released', 'PXAT', deadline + 1000)
books.flush()
return { 'released', books.alarm }
