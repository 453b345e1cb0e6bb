-- rebuild_begin.lua: from here on every quota script of the project answers {"rebuild"}.
--
-- KEYS[1] usage  hash  see ledger.lua
-- ARGV[1] owner  who rebuilds (UUID, a new one for every attempt)
-- ARGV[2] lease  ms for which nobody else may begin
-- ARGV[3] force  1: also when the sums are this incarnation's already; 0: not then
--
-- Returns {"begun"} | {"busy", ms}: somebody else's lease ends in so many ms | {"fresh"}: nothing to do.
-- A usage key of the wrong type is deleted: the rebuild makes a new one from the records.

local usage, owner, lease, force = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local state = redis.pcall('HMGET', usage, 'tok', 'lease')
if state.err then
  redis.call('DEL', usage)
else
  local token, taken = state[1], state[2]
  if taken then
    local holder, ends = string.match(taken, '^(%S+) (%d+)$')
    -- Who only looks gives way to who must not wait: its look ends as lost, and begins again.
    local looks = holder and string.sub(holder, 1, 6) == 'audit-'
    local waits = looks and token == TOK and not force
    -- A lease that ends later than a new one would is from before the clock went back: its owner may be long dead.
    local left = holder and tonumber(ends) - now
    if holder and holder ~= owner and left > 0 and left <= lease and (waits or not looks) then
      return { 'busy', left }
    end
  elseif token == TOK and not force then
    return { 'fresh' }
  end
end
redis.call('HSET', usage, 'lease', owner .. ' ' .. string.format('%.0f', now + lease))
return { 'begun' }
