-- book.lua: sent in front of each script of this folder. The claims on the pools of one backend.
--
-- A claim is room of a pool that a scheduler has promised and that no report of the backend knows of yet.
--
-- KEYS[1] claims      hash    volume -> JSON [[epoch, pool, GiB], ...]
-- KEYS[2] deadlines   zset    "epoch:volume" -> when the claim ends by itself, ms, Redis's TIME
-- KEYS[3] taken       hash    pool -> GiB of its claims
-- KEYS[4] figures     hash    pool -> JSON [reported at, thin room, thick room]: the newest report a claim was folded into
-- ARGV[1] keep        ms the keys outlive the last claim: longer than any scheduler uses a report

local claims, deadlines, taken, figures, keep = KEYS[1], KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[1])
local MOST_EXPIRED = 100

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function of(volume)
  local text = redis.call('HGET', claims, volume)
  return text and cjson.decode(text) or {}
end

local function put(volume, list)
  if #list == 0 then redis.call('HDEL', claims, volume) else redis.call('HSET', claims, volume, cjson.encode(list)) end
end

-- Ends the claims of a volume that `is_over(epoch)`; answers how many there were.
local function drop(volume, is_over)
  local left, dropped = {}, 0
  for _, claim in ipairs(of(volume)) do
    local epoch, pool, gib = claim[1], claim[2], claim[3]
    if is_over(epoch) then
      dropped = dropped + 1
      redis.call('ZREM', deadlines, string.format('%.0f:%s', epoch, volume))
      if redis.call('HINCRBY', taken, pool, -gib) == 0 then redis.call('HDEL', taken, pool) end
    else
      left[#left + 1] = claim
    end
  end
  if dropped > 0 then put(volume, left) end
  return dropped
end

-- Ends claims whose deadline has come; answers how many.
local function expire()
  local count = 0
  for _, member in ipairs(redis.call('ZRANGE', deadlines, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST_EXPIRED)) do
    local epoch, volume = string.match(member, '^(%d+):(.*)$')
    if epoch then count = count + drop(volume, function(other) return other == tonumber(epoch) end) end
    redis.call('ZREM', deadlines, member) -- also one of a claim that is not there: it would stand before the others for ever
  end
  return count
end

-- The figures that hold: the ones given, or those on record if they are newer. No report is of the future: a scheduler whose
-- clock is ahead would overrule the others for as long, with figures of the past.
local function newest(pool, given)
  given[1] = math.min(given[1], now)
  local text = redis.call('HGET', figures, pool)
  local known = text and cjson.decode(text)
  if known and known[1] >= given[1] and known[1] <= now then return known end
  return given
end

local function record(pool, known)
  redis.call('HSET', figures, pool, cjson.encode(known))
end

-- All keys vanish at one instant, after the last deadline in them: one alone would leave wrong sums.
local function outlive(deadline)
  local vanish = math.max(deadline + keep, redis.call('PEXPIRETIME', figures), redis.call('PEXPIRETIME', claims))
  for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, vanish) end
end

