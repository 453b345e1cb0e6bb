import type { ServerConnection } from '#src/redis/server-connection.js';

/**
 * Time that the case turns. Redis's own clock cannot be moved, but everything that is measured by it can: the deadlines of
 * reservations and the lives of keys are moved the other way, by what the case says less what really went by.
 */
export class Clock {
  readonly #redis: ServerConnection;
  /** Redis's clock, ms, when the case's stood at `now`. */
  #readAt = '';
  /** The case's own time, s. */
  now = 0;

  constructor(redis: ServerConnection) {
    this.#redis = redis;
  }

  /** Moves time on; 0: takes back what went by since the last call. */
  async advance(seconds: number): Promise<void> {
    this.now += seconds;
    this.#readAt = String(await this.#redis.client.eval(MOVE, 0, seconds * 1_000, this.#readAt));
  }
}

/**
 * Scores of sorted sets are deadlines, ms, and `due` and `until` of a hash are times: see scripts/redis/quota/ledger.lua.
 * ARGV: ms to move by; when it was last moved, "": never. Answers now.
 */
const MOVE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local by = tonumber(ARGV[1]) - (now - (tonumber(ARGV[2]) or now))
for _, key in ipairs(redis.call('KEYS', '*')) do
  local vanishes = redis.call('PEXPIRETIME', key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -by, member) end
  end
  if kind == 'hash' then
    for _, field in ipairs({ 'due', 'until' }) do
      local at = redis.call('HGET', key, field)
      if at then redis.call('HSET', key, field, string.format('%.0f', at - by)) end
    end
  end
  if vanishes > 0 then redis.call('PEXPIREAT', key, vanishes - by) end
end
return string.format('%.0f', now)
`;
