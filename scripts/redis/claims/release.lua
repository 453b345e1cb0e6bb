-- release.lua: end the claims of a volume that was not made here.
--
-- KEYS[1] claims      see book.lua
-- KEYS[2] deadlines   see book.lua
-- KEYS[3] taken       see book.lua
-- KEYS[4] figures     see book.lua
-- ARGV[1] keep        see book.lua
-- ARGV[2] volume      what the room was for
-- ARGV[3] below       claims with a lower epoch than this end
--
-- Returns how many ended. Safe to repeat.

local below = tonumber(ARGV[3])
return drop(ARGV[2], function(epoch) return epoch < below end)
