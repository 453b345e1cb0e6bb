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
-- ARGV[4] text        what was reserved, as text
--
-- Returns {"rolledback", alarm}: it was not committed yet | {"revoked", alarm}: it was, and is taken back; both: now or
-- before | {"expired" | "unknown", alarm}: nothing done.

local id, committed = ARGV[3], ARGV[4]
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local word, text = books.find(id)
if word == 'reserved' or word == 'held' then
  books.take(id, word, text)
  word = 'rolledback'
elseif word == 'committed' then
  local fields, amounts = books.parse(committed, usage)
  books.add(usage, fields, amounts, -1)
  word = 'revoked'
else
  return { word, books.alarm }
end
books.write('SET', tombstone, word, 'PX', keep)
books.flush()
return { word, books.alarm }
