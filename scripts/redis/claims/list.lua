-- list.lua: the claims on a backend, and where a pool's sum is not what they add up to.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
-- ARGV[2] most        claims that are listed at most; all are added up
--
-- Returns {claims, JSON [[volume, epoch, pool, GiB, ms left], ...], JSON [[pool, GiB taken, GiB claimed], ...]}; empty text
-- for an empty list; {-1, key, type} for a key that is of another type than every script makes it. A claim that has lost its deadline has as long left as the keys. Ends nothing but claims whose deadline has come.

for i, right in ipairs({ 'hash', 'zset', 'hash', 'hash' }) do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= right and kind ~= 'none' then return { -1, KEYS[i], kind } end
end

expire()
local most, count, listed, sums, differ = tonumber(ARGV[2]), 0, {}, {}, {}
local book = redis.call('HGETALL', claims)
for i = 1, #book, 2 do
  for _, claim in ipairs(cjson.decode(book[i + 1])) do
    local epoch, pool, gib = claim[1], claim[2], claim[3]
    count = count + 1
    sums[pool] = (sums[pool] or 0) + gib
    if #listed < most then
      local deadline = redis.call('ZSCORE', deadlines, string.format('%.0f:%s', epoch, book[i]))
      listed[#listed + 1] = { book[i], epoch, pool, gib, deadline and tonumber(deadline) - now or keep }
    end
  end
end
local sold = redis.call('HGETALL', taken)
for i = 1, #sold, 2 do
  local pool, gib = sold[i], tonumber(sold[i + 1])
  if gib ~= (sums[pool] or 0) then differ[#differ + 1] = { pool, gib, sums[pool] or 0 } end
  sums[pool] = nil
end
for pool, gib in pairs(sums) do differ[#differ + 1] = { pool, 0, gib } end
return { count, #listed > 0 and cjson.encode(listed) or '', #differ > 0 and cjson.encode(differ) or '' }
