-- commit.lua: turn a reservation, or a hold, into use. This is the decision of a create.
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
-- Returns {"committed", alarm}: now or before | {"expired" | "rolledback" | "revoked" | "unknown", alarm}: nothing done.

local id = ARGV[3]
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local word, text = books.find(id)
if word ~= 'reserved' and word ~= 'held' then return { word, books.alarm } end
local fields, amounts = books.take(id, word, text)
books.add(usage, fields, amounts, 1)
books.write('SET', tombstone, 'committed', 'PX', keep)
books.flush()
return { 'committed', books.alarm }
