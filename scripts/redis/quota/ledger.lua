-- ledger.lua: how the books of a project are kept. No script of its own: it is sent in front of the others.
--
-- KEYS[1] usage       hash  "i:<resource>" -> amount in use; "tok" -> incarnation of the server the sums are true for;
--                           "lease" -> a rebuild or an audit is under way; "looked" -> when the last audit ended, ms
-- KEYS[2] held        hash  "i:<resource>" -> sum reserved; <reservation id> -> its amounts, as text; "due" -> no deadline
--                           is earlier; "until" -> when held and deadlines vanish. Both are there while deadlines is
-- KEYS[3] deadlines   zset  reservation id, scored by its deadline (ms, Redis's TIME)
-- KEYS[4] pinned      hash  "i:<resource>" -> sum on hold, never 0; <reservation id> -> its amounts, as text
-- KEYS[5] tombstone   string  a reservation's or release's final word, if it has one; only for scripts about one id
-- ARGV[1] tombstones  key prefix, "{project}:t:", for the reservations this call gives back
-- ARGV[2] keep        ms for which a settled reservation's word is kept
--
-- Amounts as text: "g10v1 g10v1_<type>|<note>". A letter is a resource (see `parse`), the number its amount, and "_<type>"
-- makes the resources of a word those of a volume type. With ids in 22 characters this keeps a reservation below 300 bytes.
--
-- Every script answers {word, alarm, ...}; alarm names the sums that would have become negative and were set to 0, e.g.
-- "gigabytes in use,volumes in use", "" if there were none. Beside its own words each may answer
--   {"rebuild"}   the sums are another incarnation's, or a rebuild is under way; nothing was done
--   {"again"}     200 due reservations were given back and more are due
-- and may fail with WRONGTYPE, or with CORRUPT and the key that holds what no script wrote. Lua has no rollback, so a
-- script reads and decides first and writes last, deadlines before all else, for it may not have read them: after that
-- nothing can fail.

local call = redis.call
local usage, held, deadlines, pinned, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local tombstones, keep = ARGV[1], ARGV[2]

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Everything but the way of an ordinary reservation, which does not even want these functions made. For the same reason the
-- names above are repeated: a variable that is shared with a function costs each call of the script.
local function ledger()
  local call = redis.call
  local usage, held, deadlines, pinned, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
  local tombstones, keep = ARGV[1], ARGV[2]
  local MAX_RECLAIMED = 200
  local MAX_UNPACKED = 1000 -- even, for it counts fields and their values too

  local books = { alarm = '' }

  local function corrupt(key) error({ err = 'CORRUPT ' .. key }, 0) end

  local writes = {}
  local function write(...) writes[#writes + 1] = { ... } end
  local function flush()
    for _, command in ipairs(writes) do call(unpack(command)) end
    writes = {}
  end

  -- The fields and the amounts in a text that was read from `key`.
  local function parse(text, key)
    local letters = {
      b = 'i:backups', B = 'i:backup_gigabytes', g = 'i:gigabytes', G = 'i:groups', s = 'i:snapshots', v = 'i:volumes',
    }
    local fields, amounts = {}, {}
    for word in string.gmatch(string.match(text, '^[^|]*'), '%S+') do
      local items, type = string.match(word, '^([^_]*)(.*)$')
      local rest = string.gsub(items, '(%a)(%-?%d+)', function(letter, amount)
        if not letters[letter] then corrupt(key) end
        fields[#fields + 1], amounts[#amounts + 1] = letters[letter] .. type, tonumber(amount)
        return ''
      end)
      if rest ~= '' then corrupt(key) end
    end
    if #fields == 0 then corrupt(key) end
    return fields, amounts
  end

  -- The sums of one of the hashes, as numbers. What is given back at once may name more fields than `unpack` can take.
  local function sums(key, fields)
    local values = {}
    for from = 1, #fields, MAX_UNPACKED do
      local some = call('HMGET', key, unpack(fields, from, math.min(from + MAX_UNPACKED - 1, #fields)))
      for i = 1, #some do
        local sum = tonumber(some[i] or 0)
        if not sum or sum < 0 or sum > 2 ^ 53 or sum % 1 ~= 0 then corrupt(key) end
        values[#values + 1] = sum
      end
    end
    return values
  end

  -- Plans a change of sums. What is promised does not count what a commit will give back.
  local function add(key, fields, amounts, sign)
    local mine, changes, stored = {}, {}, {}
    for i, field in ipairs(fields) do
      if amounts[i] > 0 or key == usage then
        mine[#mine + 1], changes[#changes + 1] = field, sign * amounts[i]
      end
    end
    for i, value in ipairs(sums(key, mine)) do
      local sum = value + changes[i]
      if sum < 0 then
        local where = key == usage and ' in use' or key == held and ' reserved' or ' on hold'
        books.alarm = books.alarm .. (books.alarm == '' and '' or ',') .. string.sub(mine[i], 3) .. where
        sum = 0
      end
      if sum == 0 and key == pinned then
        write('HDEL', key, mine[i])
      else
        stored[#stored + 1] = mine[i]
        stored[#stored + 1] = string.format('%d', sum)
      end
    end
    for from = 1, #stored, MAX_UNPACKED do
      write('HSET', key, unpack(stored, from, math.min(from + MAX_UNPACKED - 1, #stored)))
    end
  end

  -- Gives back what is due; true if more is due than one call may give back. It is an act of its own, which is not undone
  -- if the script fails afterwards; so it looks at all keys first.
  local function reclaim(now)
    for i, kind in ipairs({ 'hash', 'hash', 'zset', 'hash', 'string' }) do
      local is = KEYS[i] and call('TYPE', KEYS[i]).ok
      if is and is ~= kind and is ~= 'none' then error({ err = 'WRONGTYPE ' .. KEYS[i] .. ' is a ' .. is }, 0) end
    end
    local due = call('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', 0, MAX_RECLAIMED + 1)
    local more = #due > MAX_RECLAIMED
    if more then due[#due] = nil end
    local following = call('ZRANGE', deadlines, #due, #due, 'WITHSCORES')

    local alike = {} -- most reservations are of the same few amounts
    for _, text in ipairs(#due > 0 and call('HMGET', held, unpack(due)) or {}) do
      local amounts = text and string.match(text, '^[^|]*')
      if amounts then alike[amounts] = (alike[amounts] or 0) + 1 end
    end
    local fields, totals, index = {}, {}, {}
    for text, times in pairs(alike) do
      local names, amounts = parse(text, held)
      for i, field in ipairs(names) do
        if not index[field] then fields[#fields + 1], index[field] = field, #fields + 1 end
        totals[index[field]] = (totals[index[field]] or 0) + times * math.max(amounts[i], 0)
      end
    end
    if #due > 0 then
      write('ZREM', deadlines, unpack(due))
      write('HDEL', held, unpack(due))
    end
    add(held, fields, totals, -1)
    for _, id in ipairs(due) do write('SET', tombstones .. id, 'expired', 'PX', keep) end
    if following[1] then
      write('HSET', held, 'due', following[2])
    else
      write('HDEL', held, 'due', 'until')
    end
    flush()
    return more
  end

  -- What every script does first: the answer of one that must not decide, else nil.
  local function refusal(now)
    local state = call('HMGET', usage, 'tok', 'lease')
    if state[1] ~= TOK or state[2] then return { 'rebuild', '' } end
    local due = call('HGET', held, 'due')
    if due and (tonumber(due) or now) <= now and reclaim(now) then return { 'again', books.alarm } end
  end

  -- Where a reservation is: "reserved" or "held" with its text, else the word of its tombstone, else "unknown". Reads all
  -- three in any case: a key of a wrong type must show before something is written.
  local function find(id)
    local reserved, on_hold, word = call('HGET', held, id), call('HGET', pinned, id), call('GET', tombstone)
    if reserved then return 'reserved', reserved end
    if on_hold then return 'held', on_hold end
    return word or 'unknown'
  end

  -- Plans to take a reservation or a hold out of its sums. Returns its fields and amounts.
  local function take(id, word, text)
    local key = word == 'held' and pinned or held
    local fields, amounts = parse(text, key)
    if word == 'reserved' then
      write('ZREM', deadlines, id)
      if call('ZCARD', deadlines) == 1 then write('HDEL', held, 'due', 'until') end
    end
    write('HDEL', key, id)
    add(key, fields, amounts, -1)
    return fields, amounts
  end

  books.corrupt, books.parse, books.sums, books.add = corrupt, parse, sums, add
  books.write, books.flush, books.reclaim, books.refusal = write, flush, reclaim, refusal
  books.find, books.take = find, take
  return books
end

