-- fold.lua: end the claims that a report says it includes, and remember its figures.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
-- ARGV[2] rooms       JSON [[pool, reported at, thin room, thick room], ...]: of each pool that loses a claim
-- ARGV[3] included    JSON [[volume, epoch], ...]: claims with a lower epoch are in the figures
--
-- Returns {ended, expired}. Safe to repeat, and in any order of reports: a claim never ends without figures that are at
-- least as new as the report it is in, so that a scheduler with an older report cannot sell its room again.

local expired = expire()
for _, room in ipairs(cjson.decode(ARGV[2])) do
  local pool = room[1]
  record(pool, newest(pool, { room[2], room[3], room[4] }))
end
local ended = 0
for _, claim in ipairs(cjson.decode(ARGV[3])) do
  local below = claim[2]
  ended = ended + drop(claim[1], function(epoch) return epoch < below end)
end
outlive(now)
return { ended, expired }
