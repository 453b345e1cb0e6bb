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
-- ARGV[5] text        the amounts as text, the same for the same amounts, and a note for those who list them
-- ARGV[6..] asked     all fields "i:<resource>", by name; then all amounts: a negative one is never over and counts from
--                     the commit on; then all limits; negative: none
--
-- Returns {"reserved", alarm, deadline}: also when the id is reserved already, with its first deadline
--       | {"over" | "overflow", alarm, {{field, limit, in use, reserved, asked}, ...}}: all that are over
--       | {"settled", alarm, word}: the id was reserved before and is committed, held, expired, ...
--       | {"differs", alarm}: the id is reserved with other amounts.
-- Rule: cinder/db/api.py, quota_reserve: allowed <=> limit < 0 or asked < 0 or in use + reserved + asked <= limit.
-- It is the script that is called most: it asks each key once, and changes both times to live only when it must.

local MAX_TRACKED = 2147483647
local FIRST = 6

local id, ttl, text = ARGV[3], ARGV[4], ARGV[5]
local count = (#ARGV - FIRST + 1) / 3
local last = FIRST + count - 1

local used = call('HMGET', usage, 'tok', 'lease', unpack(ARGV, FIRST, last))
if used[1] ~= TOK or used[2] then return { 'rebuild', '' } end
local alarm = ''
local promised = call('HMGET', held, 'due', 'until', id, unpack(ARGV, FIRST, last))
if promised[1] and (tonumber(promised[1]) or now) <= now then
  local books = ledger()
  local is_more = books.reclaim(now)
  alarm = books.alarm
  if is_more then return { 'again', alarm } end
  promised = call('HMGET', held, 'due', 'until', id, unpack(ARGV, FIRST, last))
end
local due, vanishes, known = promised[1], promised[2], promised[3]
if known then
  local function without_note(amounts) return string.match(amounts, '^[^|]*') end
  if without_note(known) ~= without_note(text) then return { 'differs', alarm } end
  return { 'reserved', alarm, call('ZSCORE', deadlines, id) or ledger().corrupt(deadlines) }
end
local on_hold
if call('EXISTS', pinned, tombstone) > 0 then
  on_hold = call('HMGET', pinned, id, unpack(ARGV, FIRST, last))
  local word = call('GET', tombstone)
  if on_hold[1] or word then return { 'settled', alarm, on_hold[1] and 'held' or word } end
end

local over, overflow, sums = nil, nil, {}
for i = 1, count do
  local field, asked, limit = ARGV[last - count + i], tonumber(ARGV[last + i]), tonumber(ARGV[last + count + i])
  local in_use, reserved = tonumber(used[2 + i] or 0) or -1, tonumber(promised[3 + i] or 0) or -1
  local waiting = reserved
  if on_hold then waiting = reserved + (tonumber(on_hold[1 + i] or 0) or -1) end
  local sum = in_use + waiting
  if in_use < 0 or reserved < 0 or waiting < reserved or sum % 1 ~= 0 or sum > 2 ^ 53 then
    local books = ledger() -- says which key is corrupt
    for _, key in ipairs({ usage, held, pinned }) do books.sums(key, { field }) end
  end
  sum = sum + asked
  if asked > 0 and sum > MAX_TRACKED then
    overflow = overflow or {}
    overflow[#overflow + 1] = { field, limit, in_use, waiting, asked }
  end
  if asked >= 0 and limit >= 0 and sum > limit then
    over = over or {}
    over[#over + 1] = { field, limit, in_use, waiting, asked }
  end
  sums[2 * i - 1], sums[2 * i] = field, string.format('%d', asked > 0 and reserved + asked or reserved)
end
if overflow then return { 'overflow', alarm, overflow } end
if over then return { 'over', alarm, over } end

local deadline = now + ttl
local score = string.format('%d', deadline)
call('ZADD', deadlines, score, id)
call('HSET', held, id, text, unpack(sums))
if not due or deadline < tonumber(due) then call('HSET', held, 'due', score) end
-- Held and deadlines vanish at one instant, after the last deadline in them: one alone would leave wrong sums. The instant
-- is set well ahead, so that few calls have to move it.
if not due or tonumber(vanishes or 0) < deadline + keep then
  local at = string.format('%d', deadline + 2 * keep)
  call('HSET', held, 'until', at)
  call('PEXPIREAT', held, at)
  call('PEXPIREAT', deadlines, at)
end
return { 'reserved', alarm, score }
