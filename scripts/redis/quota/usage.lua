-- usage.lua: what a project uses and has reserved.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3..] fields    "i:<resource>" of each
--
-- Returns {"usage", alarm, {{in use, reserved}, ...}} in the order of fields.

local fields = { unpack(ARGV, 3) }
local books = ledger()
local refused = books.refusal(now)
if refused then return refused end

local in_use, reserved, on_hold = books.sums(usage, fields), books.sums(held, fields), books.sums(pinned, fields)
local rows = {}
for i = 1, #fields do rows[i] = { in_use[i], reserved[i] + on_hold[i] } end
return { 'usage', books.alarm, rows }
