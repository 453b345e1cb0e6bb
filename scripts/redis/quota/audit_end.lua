-- audit_end.lua: the amounts in use and what became of some settlements; then the books are open again.
--
-- KEYS[1] usage       see ledger.lua
-- ARGV[1] tombstones  key prefix, "{project}:t:"
-- ARGV[2] owner       as given to audit_begin
-- ARGV[3] ids         JSON [id, ...] of settlements
--
-- Returns {"done", {resource, amount, ...}, {word, ...}}: the words in the order of the ids, "" where there is none
--       | {"lost"}: the lease is over: what was read is not of one moment.

local usage, tombstones, owner, ids = KEYS[1], ARGV[1], ARGV[2], cjson.decode(ARGV[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local taken = redis.pcall('HGET', usage, 'lease')
if type(taken) ~= 'string' then return { 'lost' } end
local holder, ends = string.match(taken, '^(%S+) (%d+)$')
if holder ~= owner or tonumber(ends) <= now then return { 'lost' } end

local sums, fields = {}, redis.call('HGETALL', usage)
for i = 1, #fields, 2 do
  local resource = string.match(fields[i], '^i:(.*)$')
  if resource then
    sums[#sums + 1] = resource
    sums[#sums + 1] = fields[i + 1]
  end
end
local words = {}
for i, id in ipairs(ids) do
  local word = redis.pcall('GET', tombstones .. id)
  words[i] = type(word) == 'string' and word or ''
end
redis.call('HDEL', usage, 'lease')
redis.call('HSET', usage, 'looked', string.format('%.0f', now))
return { 'done', sums, words }
