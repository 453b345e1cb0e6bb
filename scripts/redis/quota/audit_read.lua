-- audit_read.lua: a page of a project's reservations, or of its holds, with the sums that stand for them.
--
-- KEYS[1] usage      see ledger.lua
-- KEYS[2] book       hash  held or pinned, see ledger.lua
-- KEYS[3] deadlines  see ledger.lua
-- ARGV[1] owner      as given to audit_begin
-- ARGV[2] lease      ms for which it is kept from now on
-- ARGV[3] cursor     "0": the first page; else what the page before answered. A page has some hundred entries
--
-- Returns {"page", cursor, {field, value, deadline, ...}}: cursor "0": it was the last; deadline: ms by Redis's TIME, "" where
-- there is none. An entry may come twice. | {"lost"}: the lease is over | {"corrupt", key}: the key has the wrong type.

local usage, book, deadlines, owner, lease, cursor = KEYS[1], KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[2]), ARGV[3]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local taken = redis.pcall('HGET', usage, 'lease')
if type(taken) ~= 'string' then return { 'lost' } end
local holder, ends = string.match(taken, '^(%S+) (%d+)$')
if holder ~= owner or tonumber(ends) <= now then return { 'lost' } end

for key, kind in pairs({ [book] = 'hash', [deadlines] = 'zset' }) do
  local is = redis.call('TYPE', key).ok
  if is ~= kind and is ~= 'none' then return { 'corrupt', key } end
end

local page = redis.call('HSCAN', book, cursor, 'COUNT', 200)
local fields = {}
for i = 1, #page[2], 2 do fields[#fields + 1] = page[2][i] end
-- A small hash comes as a whole, and how small that is is a setting of the server.
local entries = {}
for from = 1, #fields, 1000 do
  local some = { unpack(fields, from, math.min(from + 999, #fields)) }
  for i, score in ipairs(redis.call('ZMSCORE', deadlines, unpack(some))) do
    entries[#entries + 1] = some[i]
    entries[#entries + 1] = page[2][2 * (from + i - 1)]
    entries[#entries + 1] = score or ''
  end
end
redis.call('HSET', usage, 'lease', owner .. ' ' .. string.format('%.0f', now + lease))
return { 'page', page[1], entries }
