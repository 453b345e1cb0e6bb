-- release.lua: end the claims of work that was not done here.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
-- ARGV[2] volume      what the room was for
-- ARGV[3] from        claims with this epoch or a higher one end
-- ARGV[4] below       claims with this epoch or a higher one stay
--
-- Returns how many ended. Safe to repeat. Other work on the volume has other epochs, and its claims stay.

local from, below = tonumber(ARGV[3]), tonumber(ARGV[4])
return drop(ARGV[2], function(epoch) return epoch >= from and epoch < below end)
