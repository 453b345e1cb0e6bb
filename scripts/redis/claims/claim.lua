-- claim.lua: take room of a pool, unless others have claimed it.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
-- ARGV[2] volume      what the room is for
-- ARGV[3] epoch       of the caller's claim on the work; (volume, epoch) is the claim's id
-- ARGV[4] pool        name of the pool
-- ARGV[5] gib         room that is wanted, a whole number above 0
-- ARGV[6] kind        thin | thick
-- ARGV[7] reported    when the report was made that the caller decided by, ms
-- ARGV[8] thin        room for thin volumes by that report, GiB
-- ARGV[9] thick       room for thick volumes by that report, GiB
-- ARGV[10] ttl        ms until the claim ends by itself
--
-- Returns {"won", GiB claimed of the pool, reported at, expired}: also when the id has claimed this room before
--       | {"lost", GiB claimed by others, reported at, expired}: nothing claimed.
-- Rule: a claim is won <=> the others' claims + gib <= the room of the newest report known here or to the caller.

local volume, epoch, pool, gib, kind = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local mine = { tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]) }

local expired = expire()
local own = 0
for _, claim in ipairs(of(volume)) do
  if claim[1] == epoch and claim[2] == pool then own = claim[3] end
end
local others = tonumber(redis.call('HGET', taken, pool) or 0) - own
local known = newest(pool, mine)
local at = string.format('%.0f', known[1])
if others + gib > (kind == 'thin' and known[2] or known[3]) then return { 'lost', others, at, expired } end

local deadline = now + tonumber(ARGV[10])
drop(volume, function(other) return other == epoch end)
local list = of(volume)
list[#list + 1] = { epoch, pool, gib }
put(volume, list)
redis.call('ZADD', deadlines, deadline, string.format('%.0f:%s', epoch, volume))
redis.call('HINCRBY', taken, pool, gib)
record(pool, known)
outlive(deadline)
return { 'won', others + gib, at, expired }
