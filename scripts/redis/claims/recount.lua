-- recount.lua: make the sums of a backend's pools what their claims add up to.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
--
-- Returns the number of pools with claims. Safe to repeat.

expire()
local sums, count = {}, 0
local book = redis.call('HGETALL', claims)
for i = 1, #book, 2 do
  for _, claim in ipairs(cjson.decode(book[i + 1])) do sums[claim[2]] = (sums[claim[2]] or 0) + claim[3] end
end
redis.call('DEL', taken)
for pool, gib in pairs(sums) do
  redis.call('HSET', taken, pool, gib)
  count = count + 1
end
outlive(now)
return count
