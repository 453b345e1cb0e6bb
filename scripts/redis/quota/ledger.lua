-- ledger.lua: what every quota script does first and last. No script of its own: it is sent in front of the others.
--
-- KEYS[1] usage       hash  "i:<resource>" -> amount in use; "tok" -> incarnation of the server the sums are true for;
--                           "lease" -> a rebuild is under way
-- KEYS[2] held        hash  "r:<resource>" -> sum reserved; <reservation id> -> its deltas, JSON [[resource, amount], ...]
-- KEYS[3] deadlines   zset  reservation id, scored by its deadline (ms, Redis's TIME)
-- KEYS[4] pinned      hash  like held, for holds: they count against the limit and do not expire
-- ARGV[1] tombstones  key prefix, "{project}:t:", for the reservations this call reclaims
-- ARGV[2] keep        ms for which a settled reservation's word is kept
--
-- Every script that uses it answers {word, alarm, ...}; alarm names the sums that would have become negative and were
-- set to 0, "" if there were none. Beside its own words each may answer
--   {"rebuild"}         the sums are another incarnation's, or a rebuild is under way
--   {"again"}           200 due reservations were given back and more are due
--   {"corrupt", "", key} the key has the wrong type or holds what no script wrote; nothing was changed

local MAX_RECLAIMED = 200

local usage, held, deadlines, pinned = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tombstones, keep = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Lua has no rollback, so writes wait here until everything is read and decided.
local writes = {}
local function write(...) writes[#writes + 1] = { ... } end

-- Ends the script without a single write.
local function refuse(...) error({ refused = { ... } }, 0) end

local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, '^WRONGTYPE') then refuse('corrupt', '', key) end
    error(reply, 0)
  end
  return reply
end

local function amount_of(text, key)
  if not text then return 0 end
  local amount = tonumber(text)
  if not amount or amount < 0 or amount > 2 ^ 53 or amount ~= math.floor(amount) then refuse('corrupt', '', key) end
  return amount
end

local function deltas_of(text, key)
  local ok, deltas = pcall(cjson.decode, text)
  if not ok or type(deltas) ~= 'table' then refuse('corrupt', '', key) end
  for _, delta in ipairs(deltas) do
    if type(delta) ~= 'table' or type(delta[1]) ~= 'string' or type(delta[2]) ~= 'number' then
      refuse('corrupt', '', key)
    end
  end
  return deltas
end

-- The sums of one hash: `of[resource]` after `fetch`, changed by `add`, stored by `store`.
local function sums(key, prefix) return { key = key, prefix = prefix, of = {}, changed = {} } end

local in_use, reserved, holds = sums(usage, 'i:'), sums(held, 'r:'), sums(pinned, 'r:')
local clamped = {}

local function fetch(book, deltas)
  local fields, missing = {}, {}
  for _, delta in ipairs(deltas) do
    if not book.of[delta[1]] then
      missing[#missing + 1] = delta[1]
      fields[#fields + 1] = book.prefix .. delta[1]
    end
  end
  if #fields == 0 then return end
  for i, text in ipairs(read('HMGET', book.key, unpack(fields))) do book.of[missing[i]] = amount_of(text, book.key) end
end

-- What a reservation counts for before it is committed: a negative amount gives nothing back until then.
local function promised(deltas)
  local positive = {}
  for _, delta in ipairs(deltas) do
    if delta[2] > 0 then positive[#positive + 1] = delta end
  end
  return positive
end

local function add(book, deltas, sign)
  fetch(book, deltas)
  for _, delta in ipairs(deltas) do
    local resource = delta[1]
    local sum = book.of[resource] + sign * delta[2]
    if sum < 0 then
      clamped[#clamped + 1] = book.prefix .. resource
      sum = 0
    end
    book.of[resource], book.changed[resource] = sum, true
  end
end

local function store(book)
  local fields = {}
  for resource in pairs(book.changed) do
    fields[#fields + 1] = book.prefix .. resource
    fields[#fields + 1] = string.format('%.0f', book.of[resource])
  end
  if #fields > 0 then redis.call('HSET', book.key, unpack(fields)) end
end

-- Gives back what is due, in the sums of this call. True if more is due than one call may give back.
local expired = {}
local function reclaim()
  local due = read('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', 0, MAX_RECLAIMED + 1)
  local more = #due > MAX_RECLAIMED
  if more then due[#due] = nil end
  if #due == 0 then return false end
  for i, text in ipairs(read('HMGET', held, unpack(due))) do
    if text then add(reserved, promised(deltas_of(text, held)), -1) end
    expired[due[i]] = true
    write('SET', tombstones .. due[i], 'expired', 'PX', keep)
  end
  write('HDEL', held, unpack(due))
  write('ZREM', deadlines, unpack(due))
  return more
end

-- Where a reservation is: "reserved" or "held" with its deltas as text, else the word of its tombstone, else "unknown".
local function find(id, tombstone)
  if expired[id] then return 'expired' end
  local text = read('HGET', held, id)
  if text then return 'reserved', text end
  text = read('HGET', pinned, id)
  if text then return 'held', text end
  return read('GET', tombstone) or 'unknown'
end

-- Takes a reservation or a hold out of its sums. Returns its deltas.
local function take(id, word, text)
  local key = word == 'held' and pinned or held
  local deltas = deltas_of(text, key)
  add(word == 'held' and holds or reserved, promised(deltas), -1)
  write('HDEL', key, id)
  if word == 'reserved' then write('ZREM', deadlines, id) end
  return deltas
end

-- Runs a decision on true sums and stores what it changed.
local function answer(decide)
  local ok, result = pcall(function()
    local state = read('HMGET', usage, 'tok', 'lease')
    if state[1] ~= TOK or state[2] then refuse('rebuild', '') end
    if reclaim() then return { 'again' } end
    return decide()
  end)
  if not ok then
    if type(result) == 'table' and result.refused then return result.refused end
    error(result, 0)
  end
  for _, command in ipairs(writes) do redis.call(unpack(command)) end
  store(in_use)
  store(reserved)
  store(holds)
  table.insert(result, 2, table.concat(clamped, ','))
  return result
end

