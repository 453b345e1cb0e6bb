import test from 'ava';
import fc from 'fast-check';
import { claimKeysOf } from '#src/scheduler/claim-scripts.js';
import type { Claims } from '#src/scheduler/claims.js';
import type { IncludedClaim } from '#src/scheduler/report.js';
import { claimsOver, newBackend, poolAs, reportFrom } from '../support/claims.js';
import { connect, eventually, redisFor, redisServerFor } from '../support/redis.js';

test('of all who want the last room at once, as many win as there is room for', async (t) => {
  const backend = newBackend();
  const schedulers = await Promise.all([1, 2, 3, 4].map(async () => claimsOver(await redisFor(t))));
  const pool = poolAs(backend, 'p', 10, 1);
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, (_, index) =>
      schedulerAt(schedulers, index).claim({ volumeId: `v${index}`, epoch: 1 }, pool, 1, false),
    ),
  );
  t.is(outcomes.filter(({ answer }) => answer === 'won').length, 10);
  t.is(outcomes.filter(({ answer }) => answer === 'lost').length, 54);
});

test('a claim that is repeated is the same claim, and one that moves leaves its first pool', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const id = { volumeId: 'v', epoch: 3 };
  const [p, q] = [poolAs(backend, 'p', 5, 1), poolAs(backend, 'q', 5, 1)];
  t.like(await claims.claim(id, p, 5, false), { answer: 'won', claimedGib: 5 });
  t.like(await claims.claim(id, p, 5, false), { answer: 'won', claimedGib: 5 });
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 5 });
  t.like(await claims.claim(id, q, 5, false), { answer: 'won', claimedGib: 5 });
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 5 });
  t.like(await claims.claim({ volumeId: 'w', epoch: 1 }, p, 5, false), { answer: 'won' });
});

test('what grows a volume is claimed beside the claim that made it', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const pool = poolAs(backend, 'p', 10, 1);
  t.like(await claims.claim({ volumeId: 'v', epoch: 2 }, pool, 4, false), { answer: 'won' });
  t.like(await claims.claim({ volumeId: 'v', epoch: 5 }, pool, 6, false), { answer: 'won', claimedGib: 10 });
  t.like(await claims.claim({ volumeId: 'w', epoch: 2 }, pool, 1, false), { answer: 'lost', claimedGib: 10 });
});

test('the claims on a backend are told one by one, with the pools whose sum is another', async (t) => {
  const backend = newBackend();
  const redis = await redisFor(t);
  const claims = claimsOver(redis, { workMs: 60_000, reportIntervalMs: 10_000 });
  t.deepEqual(await claims.list(backend), { count: 0, claims: [], differences: [] });
  await claims.claim({ volumeId: 'v', epoch: 2 }, poolAs(backend, 'p', 100, 1), 4, false);
  await claims.claim({ volumeId: 'v', epoch: 5 }, poolAs(backend, 'p', 100, 1), 2, false);
  await claims.claim({ volumeId: 'w', epoch: 1 }, poolAs(backend, 'q', 100, 1), 1, false);

  const book = await claims.list(backend);
  t.is(book?.count, 3);
  t.deepEqual(book?.claims.map(({ volumeId, epoch, pool, gib }) => [volumeId, epoch, pool, gib]).toSorted(), [
    ['v', 2, 'p', 4],
    ['v', 5, 'p', 2],
    ['w', 1, 'q', 1],
  ]);
  for (const { leftMs } of book?.claims ?? []) t.true(leftMs > 70_000 && leftMs <= 80_000, String(leftMs));
  t.deepEqual(book?.differences, []);

  const { taken } = claimKeysOf(backend);
  await redis.client.hincrby(taken, 'p', 3);
  await redis.client.hdel(taken, 'q');
  await redis.client.hset(taken, 'r', 9);
  t.deepEqual(
    (await claims.list(backend))?.differences.toSorted((a, b) => (a.pool < b.pool ? -1 : 1)),
    [
      { pool: 'p', takenGib: 9, claimedGib: 6 },
      { pool: 'q', takenGib: 0, claimedGib: 1 },
      { pool: 'r', takenGib: 9, claimedGib: 0 },
    ],
  );

  t.true(await claims.recount(backend));
  t.true(await claims.recount(backend));
  t.deepEqual((await claims.list(backend))?.differences, []);
  t.deepEqual(await claims.outstanding([backend]), { count: 3, gib: 7 });
  t.true((await redis.client.pttl(taken)) > 0, 'the sums vanish with the rest');
});

test('a thin volume may have the room that over-subscription gives, a thick one what is free', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const capabilities = {
    ...{ total_capacity_gb: 10, free_capacity_gb: 10, provisioned_capacity_gb: 0, timestamp: 1 },
    ...{ thin_provisioning_support: true, max_over_subscription_ratio: '2' },
  };
  const pool = { backendId: `${backend}#p`, capabilities, updatedAt: 1 };
  t.like(await claims.claim({ volumeId: 'a', epoch: 1 }, pool, 11, false), { answer: 'lost' });
  t.like(await claims.claim({ volumeId: 'b', epoch: 1 }, pool, 11, true), { answer: 'won' });
  t.like(await claims.claim({ volumeId: 'c', epoch: 1 }, pool, 1, false), { answer: 'lost', claimedGib: 11 });
  t.like(await claims.claim({ volumeId: 'd', epoch: 1 }, pool, 9, true), { answer: 'won', claimedGib: 20 });
  t.like(await claims.claim({ volumeId: 'e', epoch: 1 }, pool, 1, true), { answer: 'lost' });
});

test('where nothing is measured, or nothing is asked for, nothing is claimed', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const endless = poolAs(backend, 'p', 1, 1);
  const capabilities = { ...endless.capabilities, free_capacity_gb: 'infinite' };
  t.deepEqual(await claims.claim({ volumeId: 'v', epoch: 1 }, { ...endless, capabilities }, 50, false), {
    answer: 'unneeded',
  });
  t.deepEqual(await claims.claim({ volumeId: 'v', epoch: 1 }, endless, 0, false), { answer: 'unneeded' });
  t.deepEqual(await claims.outstanding([backend]), { count: 0, gib: 0 });
});

test('a report ends exactly the claims it includes, and its figures bind schedulers that have not got it', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const before = poolAs(backend, 'p', 10, 1);
  await claims.claim({ volumeId: 'made', epoch: 2 }, before, 6, false);
  await claims.claim({ volumeId: 'waits', epoch: 2 }, before, 3, false);
  const report = reportFrom(backend, 2, { p: 4 }, [{ volumeId: 'made', epoch: 4, pool: 'p' }]);
  await claims.fold(report);
  await claims.fold(report);
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 3 });
  t.like(await claims.claim({ volumeId: 'late', epoch: 1 }, before, 2, false), { answer: 'lost', reportedAt: 2 });
  t.like(await claims.claim({ volumeId: 'late', epoch: 1 }, before, 1, false), { answer: 'won' });
});

test('a report that cannot be read for a pool leaves the claims on it to their deadlines', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  await claims.claim({ volumeId: 'v', epoch: 2 }, poolAs(backend, 'p', 10, 1), 6, false);
  const included = [{ volumeId: 'v', epoch: 4, pool: 'p' }];
  const report = reportFrom(backend, 2, { q: 4 }, included);
  await claims.fold(report);
  await claims.fold({ ...report, capabilities: { pools: [{ pool_name: 'p', total_capacity_gb: 'much' }] } });
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 6 });
});

test('a claim ends by its deadline', async (t) => {
  const backend = newBackend();
  const redis = await redisFor(t);
  const hasty = claimsOver(redis, { workMs: 1, reportIntervalMs: 1 });
  const pool = poolAs(backend, 'p', 10, 1);
  t.like(await hasty.claim({ volumeId: 'dead', epoch: 1 }, pool, 10, false), { answer: 'won' });
  const patient = claimsOver(redis);
  await eventually('the room is free again', async () => {
    return (await patient.claim({ volumeId: 'v', epoch: 1 }, pool, 10, false)).answer === 'won';
  });
});

test('a claim whose deadline was lost is told as one that lasts', async (t) => {
  const backend = newBackend();
  const redis = await redisFor(t);
  const claims = claimsOver(redis, { workMs: 60_000, reportIntervalMs: 10_000 });
  await claims.claim({ volumeId: 'v', epoch: 2 }, poolAs(backend, 'p', 100, 1), 4, false);
  await redis.client.zrem(claimKeysOf(backend).deadlines, '2:v');
  t.like((await claims.list(backend))?.claims, [{ volumeId: 'v', leftMs: 600_000 }]);
  await claims.release({ volumeId: 'v', epoch: 2 }, backend);
  t.deepEqual(await claims.list(backend), { count: 0, claims: [], differences: [] });
});

test('deadlines of claims that are not there go, and keep no others from their end', async (t) => {
  const backend = newBackend();
  const redis = await redisFor(t);
  const claims = claimsOver(redis);
  const { deadlines } = claimKeysOf(backend);
  const overdue = Array.from({ length: 150 }, (_, index) => [String(index), `1:gone-${index}`]);
  await redis.client.zadd(deadlines, ...overdue.flat(), '1', 'nonsense');
  await claims.claim({ volumeId: 'v', epoch: 1 }, poolAs(backend, 'p', 10, 1), 10, false);
  await redis.client.zadd(deadlines, '500', '1:v');
  await claims.list(backend);
  t.like(await claims.list(backend), { count: 0, differences: [] });
  t.is(await redis.client.zcard(deadlines), 0);
});

test('only earlier claims of a volume are released, and releasing twice releases once', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const pool = poolAs(backend, 'p', 10, 1);
  await claims.claim({ volumeId: 'v', epoch: 2 }, pool, 4, false);
  await claims.claim({ volumeId: 'v', epoch: 5 }, pool, 4, false);
  await claims.releaseBelow({ volumeId: 'v', epoch: 5 }, `${backend}#p`);
  await claims.releaseBelow({ volumeId: 'v', epoch: 5 }, backend);
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 4 });
});

test('what was claimed for a volume to grow is released without the claim that made it', async (t) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t));
  const pool = poolAs(backend, 'p', 10, 1);
  await claims.claim({ volumeId: 'v', epoch: 2 }, pool, 4, false);
  await claims.claim({ volumeId: 'v', epoch: 1_700_000_000_001 }, pool, 6, false);
  await claims.release({ volumeId: 'v', epoch: 1_700_000_000_001 }, pool.backendId);
  await claims.release({ volumeId: 'v', epoch: 1_700_000_000_001 }, pool.backendId);
  t.deepEqual(await claims.outstanding([backend]), { count: 1, gib: 4 });
});

test('without Redis a placement stands on what the scheduler knows, at once, and an emptied Redis goes on', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  const failed: string[] = [];
  const observer = { claimed: () => undefined, ended: () => undefined, failed: (what: string) => failed.push(what) };
  const claims = claimsOver(redis, { observer });
  const pool = poolAs(newBackend(), 'p', 10, 1);
  t.like(await claims.claim({ volumeId: 'v', epoch: 1 }, pool, 10, false), { answer: 'won' });
  await redis.client.flushall();
  t.like(await claims.claim({ volumeId: 'w', epoch: 1 }, pool, 10, false), { answer: 'won' });
  await server.stop();
  await eventually('it is gone', () => !redis.usable);
  t.deepEqual(await claims.claim({ volumeId: 'x', epoch: 1 }, pool, 10, false), { answer: 'unclaimed' });
  t.is(await claims.outstanding(['h@b']), undefined);
  t.deepEqual(failed, ['claim', 'outstanding']);
});

const CAPACITY = 6;
const SCHEDULERS = 3;

/** What may happen, in any order; numbers choose who, which volume, how much. */
type Happening = readonly [
  what: 'claim' | 'begun' | 'made' | 'failed' | 'deleted' | 'reported' | 'heard' | 'died',
  one: number,
  two: number,
];

const of = (what: Happening[0], one: fc.Arbitrary<number>, two: fc.Arbitrary<number>): fc.Arbitrary<Happening> =>
  fc.tuple(fc.constant(what), one, two);

const none = fc.constant(0);
const size = fc.integer({ min: 1, max: 5 });
const scheduler = fc.nat(SCHEDULERS - 1);

const happening = fc.oneof(
  { weight: 5, arbitrary: of('claim', scheduler, size) },
  { weight: 3, arbitrary: of('begun', fc.nat(9), none) },
  { weight: 3, arbitrary: of('made', fc.nat(9), none) },
  { weight: 2, arbitrary: of('failed', fc.nat(9), none) },
  { weight: 2, arbitrary: of('deleted', fc.nat(9), none) },
  { weight: 3, arbitrary: of('reported', none, none) },
  { weight: 5, arbitrary: of('heard', scheduler, fc.nat(3)) },
  { weight: 1, arbitrary: of('died', scheduler, size) },
);

test('no interleaving of claims, work, reports in any order, releases and deadlines sells room twice', async (t) => {
  const redis = await redisFor(t);
  const patient = claimsOver(redis);
  const hasty = claimsOver(redis, { workMs: 1, reportIntervalMs: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 10, maxLength: 60 }), async (happenings) => {
      const world = new World(patient, hasty);
      for (const one of happenings) await world.let(one);
      await world.settle();
    }),
    { numRuns: 150 },
  );
  t.pass('each step has checked the books');
});

/** One pool, what is really on it, and what each scheduler has heard of it. */
class World {
  readonly #backend = newBackend();
  readonly #patient: Claims;
  readonly #hasty: Claims;
  /** Won, and not made or released yet. */
  readonly #promised = new Map<string, number>();
  /** Those of the promised that are in the making: the storage counts them. */
  readonly #begun = new Map<string, number>();
  readonly #made = new Map<string, number>();
  #over: IncludedClaim[] = [];
  #count = 0;
  /** Each report that was ever made; the first says that nothing is there. */
  readonly #reports = [{ at: 1, freeGib: CAPACITY, included: [] as readonly IncludedClaim[] }];
  readonly #heard: number[] = Array.from({ length: SCHEDULERS }, () => 0);

  constructor(patient: Claims, hasty: Claims) {
    this.#patient = patient;
    this.#hasty = hasty;
  }

  async let([what, one, two]: Happening): Promise<void> {
    switch (what) {
      case 'claim':
        if (await this.#claim(this.#patient, one, two)) this.#promised.set(`v${this.#count}`, two);
        break;
      case 'died':
        await this.#claim(this.#hasty, one, two); // placed by one who never writes it down
        break;
      case 'begun': {
        const found = nth(this.#promised, one);
        if (found) this.#begun.set(...found);
        break;
      }
      case 'made':
        this.#end(one, (id, gib) => void this.#made.set(id, gib));
        break;
      case 'failed': {
        const id = this.#end(one, () => undefined);
        if (id !== undefined) await this.#patient.releaseBelow({ volumeId: id, epoch: 2 }, this.#backend);
        break;
      }
      case 'deleted':
        this.#made.delete(nth(this.#made, one)?.[0] ?? '');
        break;
      case 'reported':
        this.#report();
        break;
      case 'heard':
        await this.#hear(one, Math.max(0, this.#reports.length - 1 - two));
        break;
    }
    const sold = sum(this.#promised) + sum(this.#made);
    if (sold > CAPACITY) throw new Error(`${sold} GiB of ${CAPACITY} are sold`);
  }

  /** Nothing is under way any more and all is reported: all the room that is left can be had, and no more. */
  async settle(): Promise<void> {
    for (let left = this.#promised.size; left > 0; left -= 1) await this.let(['made', 0, 0]);
    this.#report();
    for (let report = 0; report < this.#reports.length; report += 1) await this.#hear(0, report);
    const left = CAPACITY - sum(this.#made);
    await eventually('only deadlines are waited for', async () => {
      return (await this.#patient.outstanding([this.#backend]))?.count === 0;
    });
    if (await this.#claim(this.#patient, 0, left + 1)) throw new Error('more than is left was sold');
    if (left > 0 && !(await this.#claim(this.#patient, 0, left))) throw new Error('what is left was not sold');
  }

  async #claim(claims: Claims, scheduler: number, gib: number): Promise<boolean> {
    const known = this.#reports[this.#heard[scheduler] ?? 0];
    const pool = poolAs(this.#backend, 'p', known?.freeGib ?? 0, known?.at ?? 0);
    const id = { volumeId: `v${(this.#count += 1)}`, epoch: 1 };
    return (await claims.claim(id, pool, gib, false)).answer === 'won';
  }

  #end(which: number, take: (id: string, gib: number) => void): string | undefined {
    const found = nth(this.#promised, which);
    if (!found) return undefined;
    const [id, gib] = found;
    this.#promised.delete(id);
    this.#begun.delete(id);
    take(id, gib);
    this.#over.push({ volumeId: id, epoch: 3, pool: 'p' });
    return id;
  }

  #report(): void {
    const making = [...this.#begun.keys()].map((volumeId) => ({ volumeId, epoch: 3, pool: 'p' }));
    this.#reports.push({
      at: this.#reports.length + 1,
      freeGib: CAPACITY - sum(this.#made) - sum(this.#begun),
      included: [...this.#over, ...making],
    });
    this.#over = [];
  }

  async #hear(scheduler: number, report: number): Promise<void> {
    const { at, freeGib, included } = this.#reports[report] ?? { at: 0, freeGib: 0, included: [] };
    await this.#patient.fold(reportFrom(this.#backend, at, { p: freeGib }, included));
    this.#heard[scheduler] = Math.max(this.#heard[scheduler] ?? 0, report);
  }
}

function nth(map: ReadonlyMap<string, number>, index: number): [string, number] | undefined {
  return [...map][map.size === 0 ? 0 : index % map.size];
}

function sum(map: ReadonlyMap<string, number>): number {
  return [...map.values()].reduce((total, gib) => total + gib, 0);
}

function schedulerAt(schedulers: readonly Claims[], index: number): Claims {
  const scheduler = schedulers[index % schedulers.length];
  if (!scheduler) throw new Error('there is no scheduler');
  return scheduler;
}
