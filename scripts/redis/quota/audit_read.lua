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
local scores = #fields > 0 and redis.call('ZMSCORE', deadlines, unpack(fields)) or {}
local entries = {}
for i, field in ipairs(fields) do
  entries[#entries + 1] = field
  entries[#entries + 1] = page[2][2 * i]
  entries[#entries + 1] = scores[i] or ''
end
redis.call('HSET', usage, 'lease', owner .. ' ' .. string.format('%.0f', now + lease))
return { 'page', page[1], entries }
