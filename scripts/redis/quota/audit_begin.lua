-- audit_begin.lua: keep a project's books as they are, to look at them: every other quota script answers {"rebuild"}.
--
-- KEYS[1] usage  hash  see ledger.lua
-- ARGV[1] owner  who looks: "audit-" and a UUID
-- ARGV[2] lease  ms for which nobody else may begin; a rebuild that cannot wait takes it away
-- ARGV[3] rest   ms after a look in which nobody looks, so that those who decide get their turn
--
-- Returns {"begun"} | {"busy"}: somebody else looks, just looked, or rebuilds | {"unloaded"}: the sums are no longer believed, or never were;
-- the next decision rebuilds them.

local usage, owner, lease, rest = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local state = redis.pcall('HMGET', usage, 'tok', 'lease', 'looked')
if state.err or state[1] ~= TOK then return { 'unloaded' } end
-- A time that is further ahead than it can have been set is from before the clock went back: nobody waits for it.
local function is_ahead(at, most) return at > now and at <= now + most end
local holder, ends = string.match(state[2] or '', '^(%S+) (%d+)$')
if holder and holder ~= owner and is_ahead(tonumber(ends), lease) then return { 'busy' } end
if is_ahead((tonumber(state[3] or '') or 0) + rest, rest) then return { 'busy' } end
redis.call('HSET', usage, 'lease', owner .. ' ' .. string.format('%.0f', now + lease))
return { 'begun' }
