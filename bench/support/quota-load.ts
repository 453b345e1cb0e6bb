import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeAmounts, withNote } from '#src/quota/amounts-text.js';
import type { Amounts } from '#src/quota/resources.js';
import { fieldOf, keysOf, loadQuotaScripts } from '#src/quota/scripts.js';
import { shortId } from '#src/quota/short-id.js';
import { connectRedis } from '#src/redis/connect.js';
import { startPrivateServer } from '#src/redis/private-server.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { deadlineIn } from '#src/time/deadline.js';
import { closedLoop } from './load.js';

/** Commands that any ledger needs: the least that a reservation could cost. */
const FLOOR = `redis.call('HGET', KEYS[1], 'f') redis.call('HINCRBY', KEYS[1], 'f', 1)
redis.call('HINCRBY', KEYS[2], 'f', 1) redis.call('ZADD', KEYS[3], ARGV[1], ARGV[2]) redis.call('PEXPIRE', KEYS[2], ARGV[3])`;
const TTL_MS = 600_000;
const CONCURRENCY = 64;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The quota scripts on a server of the benchmark's own, called over one connection. */
export class QuotaLoad {
  readonly #close: () => Promise<void>;
  readonly #scripts = loadQuotaScripts();
  readonly #words = new Map<Amounts, { readonly amounts: string; readonly asked: readonly (string | number)[] }>();
  #floor = '';

  private constructor(
    readonly redis: ServerConnection,
    close: () => Promise<void>,
  ) {
    this.#close = close;
  }

  static async start(): Promise<QuotaLoad> {
    const dir = await mkdtemp(join(tmpdir(), 'cinder-bench-'));
    const command = process.env['CINDER_REDIS_SERVER'] ?? 'redis-server';
    const server = await startPrivateServer({ dir, command, log: SILENT });
    const redis = await connectRedis({ url: server.socket, log: SILENT });
    return new QuotaLoad(redis, async () => {
      await redis.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    });
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Forgets everything and makes empty books for so many projects. */
  async projects(count: number): Promise<readonly string[]> {
    const { client } = this.redis;
    await client.flushall();
    this.#floor = (await client.script('LOAD', FLOOR)) as string;
    const { token } = await this.redis.incarnation('', this.#soon());
    const ids = Array.from({ length: count }, () => randomUUID().replaceAll('-', ''));
    const books = client.pipeline();
    for (const id of ids) books.hset(keysOf(id).usage, 'tok', token);
    await books.exec();
    return ids;
  }

  /** Calls a second of `count` calls, 64 in flight. */
  async rate(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
    let index = 0;
    const { seconds } = await closedLoop(count, CONCURRENCY, async () => {
      await work(index++);
    });
    return count / seconds;
  }

  async floor(projectId: string): Promise<void> {
    const { usage, held, deadlines } = keysOf(projectId);
    await this.redis.client.evalsha(this.#floor, 3, usage, held, deadlines, Date.now(), randomUUID(), TTL_MS);
  }

  /** Reserves; answers the id. */
  async reserve(projectId: string, deltas: Amounts, { ttlMs = TTL_MS, keepMs = 2 * TTL_MS } = {}): Promise<string> {
    const uuid = randomUUID();
    const id = shortId(uuid);
    const { tombstones, ...keys } = keysOf(projectId);
    const { amounts, asked } = this.#wordsFor(deltas);
    const text = withNote(amounts, `req-${uuid}`);
    const { said } = await this.redis.run(
      this.#scripts.reserve,
      { ...keys, tombstone: tombstones + id },
      { tombstones, keep: keepMs, id, ttl: ttlMs, text, asked },
      this.#soon(),
    );
    if (said?.answer !== 'reserved') throw new Error(`not reserved: ${JSON.stringify(said)}`);
    return id;
  }

  async commit(projectId: string, id: string): Promise<void> {
    const args = { tombstones: keysOf(projectId).tombstones, keep: 2 * TTL_MS, id };
    const { said } = await this.redis.run(this.#scripts.commit, this.#about(projectId, id), args, this.#soon());
    if (said !== 'committed') throw new Error(`not committed: ${String(said)}`);
  }

  /** Asks until what is due has been given back; answers how many calls that took. */
  async reclaim(projectId: string): Promise<number> {
    const { tombstones, ...keys } = keysOf(projectId);
    const args = { tombstones, keep: 2 * TTL_MS, fields: [fieldOf('volumes')] };
    for (let calls = 1; ; calls += 1) {
      const { refusal } = await this.redis.run(this.#scripts.usage, keys, args, this.#soon());
      if (refusal !== 'again') return calls;
    }
  }

  /** Bytes in use by data, as the server counts them. */
  async memory(): Promise<number> {
    const info = await this.redis.client.info('memory');
    return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1]) + Number(/used_memory_overhead:(\d+)/.exec(info)?.[1]);
  }

  #about(projectId: string, id: string) {
    const { tombstones, ...keys } = keysOf(projectId);
    return { ...keys, tombstone: tombstones + id };
  }

  /** What a script is told of amounts, made once: it is the script that is measured, as the floor is. */
  #wordsFor(deltas: Amounts) {
    let words = this.#words.get(deltas);
    if (!words) {
      const entries = Object.entries(deltas).sort(([a], [b]) => (a < b ? -1 : 1));
      const asked = [...entries.map(([name]) => fieldOf(name)), ...entries.map(([, n]) => n), ...entries.map(() => -1)];
      words = { amounts: encodeAmounts(deltas), asked };
      this.#words.set(deltas, words);
    }
    return words;
  }

  #soon() {
    return deadlineIn(60_000);
  }
}
