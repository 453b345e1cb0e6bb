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

local id = ARGV[3]
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local word, text = books.find(id)
if word ~= 'reserved' then return { word, books.alarm } end
local fields, amounts = books.take(id, word, text)
books.write('HSET', pinned, id, text)
books.add(pinned, fields, amounts, 1)
books.flush()
return { 'held', books.alarm }
