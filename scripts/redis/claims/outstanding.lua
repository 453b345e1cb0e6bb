-- outstanding.lua: what is claimed of a backend's pools.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
--
-- Returns {claims, pool, GiB, pool, GiB, ...}.

expire()
local answer = { redis.call('ZCARD', deadlines) }
for _, value in ipairs(redis.call('HGETALL', taken)) do answer[#answer + 1] = value end
return answer
