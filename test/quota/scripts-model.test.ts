import { randomUUID } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import type { Word } from '#src/quota/scripts.js';
import { type Engine, engineOf, projectWith, soon } from '../support/quota.js';
import { eventually, redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const LIMIT = 6;
const IDS = 4;
const RUNS = 150;

/** What the scripts must do, in a dozen lines: one resource, no records. */
class Model {
  inUse = 0;
  readonly live = new Map<string, { readonly amount: number; held: boolean }>();
  readonly words = new Map<string, Word>();

  get reserved(): number {
    return [...this.live.values()].reduce((sum, { amount }) => sum + amount, 0);
  }

  reserve(id: string, amount: number): string {
    if (this.live.get(id)?.held) return 'settled';
    if (this.live.has(id)) return this.live.get(id)?.amount === amount ? 'reserved' : 'differs';
    if (this.words.has(id)) return this.words.get(id) === 'expired' ? 'expired' : 'settled';
    if (this.inUse + this.reserved + amount > LIMIT) return 'over';
    this.live.set(id, { amount, held: false });
    return 'reserved';
  }

  settle(id: string, verb: 'commit' | 'rollback' | 'revoke' | 'hold' | 'expire', amount: number): Word {
    const found = this.live.get(id);
    if (verb === 'revoke' && this.words.get(id) === 'committed') {
      this.inUse = Math.max(0, this.inUse - amount);
      this.words.set(id, 'revoked');
    }
    if (!found) return this.words.get(id) ?? 'unknown';
    if (verb === 'hold') found.held = true;
    if (found.held && (verb === 'hold' || verb === 'rollback' || verb === 'expire')) return 'held';
    this.live.delete(id);
    if (verb === 'commit') this.inUse += found.amount;
    const word = verb === 'commit' ? 'committed' : verb === 'expire' ? 'expired' : 'rolledback';
    this.words.set(id, word);
    return word;
  }

  release(id: string, amount: number): Word {
    const known = this.words.get(id);
    if (known) return known;
    this.inUse = Math.max(0, this.inUse - amount);
    this.words.set(id, 'released');
    return 'released';
  }

  /** Another incarnation of the server: what the records do not say is forgotten, words are not. */
  forget(): void {
    this.inUse = 0;
    this.live.clear();
  }
}

type Op =
  | { readonly verb: 'reserve' | 'expiring'; readonly id: number; readonly amount: number }
  | { readonly verb: 'commit' | 'rollback' | 'revoke' | 'hold' | 'release'; readonly id: number }
  | { readonly verb: 'token' };

const id = fc.nat({ max: IDS - 1 });
const amount = fc.integer({ min: 0, max: 4 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('reserve' as const), id, amount }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('expiring' as const), id, amount }) },
  { weight: 8, arbitrary: fc.record({ verb: fc.constantFrom('commit', 'rollback', 'revoke', 'hold', 'release'), id }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('token' as const) }) },
);

test('for any sequence of operations the scripts answer as the model does, every time they are repeated', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const sequence = fc.array(op, { minLength: 1, maxLength: 30 });
  const seed = Date.now();
  t.log(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(sequence, async (ops) => {
      const projectId = await projectWith(engine.store, { volumes: LIMIT });
      await engine.quota.usage(projectId, ['volumes'], soon());
      const model = new Model();
      const ids = Array.from({ length: IDS }, () => randomUUID());
      for (const one of ops) {
        for (let turn = 0; turn < 2; turn += 1) await step(engine, projectId, model, ids, one);
        const usage = (await engine.quota.usage(projectId, ['volumes'], soon())).get('volumes');
        same(usage, { inUse: model.inUse, reserved: model.reserved }, one);
        if (model.inUse + model.reserved > LIMIT) throw new Error('the model itself passes the limit');
      }
    }),
    { numRuns: RUNS, seed, includeErrorInReport: true },
  );
  t.pass();
});

async function step(engine: Engine, projectId: string, model: Model, ids: readonly string[], one: Op): Promise<void> {
  const { quota, redis } = engine;
  if (one.verb === 'token') {
    await redis.client.hset(`{${projectId}}:u`, 'tok', 'of another incarnation');
    model.forget();
    return;
  }
  const ref = { id: ids[one.id] ?? '', projectId };
  if (one.verb === 'reserve' || one.verb === 'expiring') {
    const ttlMs = one.verb === 'expiring' ? 1 : 60_000;
    const wasLive = model.live.has(ref.id);
    const expected = model.reserve(ref.id, one.amount);
    same(await reserve(engine, ref, one.amount, ttlMs), expected, one);
    if (one.verb === 'reserve' || wasLive || expected !== 'reserved') return;
    await eventually('due', async () => {
      const [seconds = 0, micros = 0] = (await redis.client.time()).map(Number);
      return (
        seconds * 1_000 + Math.floor(micros / 1_000) >= Number(await redis.client.zscore(`{${projectId}}:d`, ref.id))
      );
    });
    model.settle(ref.id, 'expire', one.amount);
    return;
  }
  const deltas = { volumes: 1 };
  if (one.verb === 'release') {
    const releaseId = ref.id.replace(/^.{8}/, 'ffffffff');
    const until = Date.now() + 60_000;
    same(await quota.release({ projectId, id: releaseId, deltas, until }, soon()), model.release(releaseId, 1), one);
    return;
  }
  same(await quota[one.verb]({ ...ref, deltas }, soon()), model.settle(ref.id, one.verb, 1), one);
}

async function reserve({ quota }: Engine, ref: { id: string; projectId: string }, volumes: number, ttlMs: number) {
  try {
    const { answer } = await quota.reserve(ref.projectId, { volumes }, { id: ref.id, deadline: soon(), ttlMs });
    return answer;
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'QuotaReservationExpired') return 'expired';
    return message.includes('other amounts') ? 'differs' : 'settled';
  }
}

function same(got: unknown, expected: unknown, op: Op): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${JSON.stringify(op)} answered ${a}; the model says ${b}`);
}
