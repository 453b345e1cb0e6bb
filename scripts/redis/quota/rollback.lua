-- rollback.lua: give a reservation back that was never decided. Harmless after a commit.
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
-- Returns {"rolledback", alarm}: now or before | {"committed" | "held" | "expired" | "revoked" | "unknown", alarm}: nothing
-- done.

local id = ARGV[3]
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local word, text = books.find(id)
if word ~= 'reserved' then return { word, books.alarm } end
books.take(id, word, text)
books.write('SET', tombstone, 'rolledback', 'PX', keep)
books.flush()
return { 'rolledback', books.alarm }
