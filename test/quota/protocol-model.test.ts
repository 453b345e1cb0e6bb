import { randomUUID } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import {
  deleteOpenCharge,
  findSettlement,
  insertHold,
  markFinal,
  markHeld,
  markUndo,
  markVoid,
  type NewSettlement,
} from '#src/db/quota-settlements.js';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch, type Step, type Store } from '#src/db/store.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { typeKey } from '#src/quota/resources.js';
import { fieldOf } from '#src/quota/scripts.js';
import { shortId } from '#src/quota/short-id.js';
import { CHARGED_VOLUMES, Creation, type Engine, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const LIMIT = 3;
const GIB_LIMIT = 5;
const ACTORS = 5;
const RUNS = 120;

type Stage =
  | ('reserve' | 'tx1' | 'commit' | 'tx2' | 'void' | 'revoke' | 'destroy' | 'undo')
  | ('answered' | 'grow' | 'record hold' | 'hold' | 'held' | 'work' | 'fail' | 'settle hold')
  | ('delete' | 'release' | 'ended');

/** Stages whose step is a call that may be repeated: its reply can be lost. */
const CALLS: ReadonlySet<Stage> = new Set<Stage>([
  ...(['reserve', 'commit', 'revoke', 'undo', 'grow', 'hold', 'settle hold', 'release'] as const),
]);

/**
 * A process that creates a volume, lets it grow by 1 GiB behind a hold, and deletes it, one step of the protocol at a time;
 * what it learns decides what it does next, as in the flows. Every second growth fails.
 */
class Actor {
  stage: Stage = 'reserve';
  isAnswered = false;
  isDeleted = false;
  readonly creation: Creation;
  readonly growth: NewSettlement;
  #release: { id: string; projectId: string } | undefined;

  constructor(
    readonly engine: Engine,
    projectId: string,
    readonly growthFails: boolean,
  ) {
    this.creation = new Creation(engine, projectId);
    const deltas = { gigabytes: 1, [typeKey('gigabytes', DEFAULT_VOLUME_TYPE_ID)]: 1 };
    this.growth = { ...this.creation.charge, id: randomUUID(), deltas };
  }

  /** Does the next step. With a lost reply the step is done, but its process does not get to know, and repeats it. */
  async step(isReplyLost: boolean): Promise<void> {
    const { store, settlements } = this.engine;
    const { creation, stage } = this;
    const charge = { ...creation.charge, kind: 'charge', state: 'open', until: null, createdAt: 0 } as const;
    const next = (await this.#do(stage, store, settlements, charge)) ?? stage;
    if (!isReplyLost || !CALLS.has(stage)) this.stage = next;
  }

  async #do(
    stage: Stage,
    store: Store,
    settlements: Engine['settlements'],
    charge: Parameters<typeof CHARGED_VOLUMES.destroy>[0],
  ): Promise<Stage | undefined> {
    switch (stage) {
      case 'reserve':
        return (await this.creation.reserve()) === 'reserved' ? 'tx1' : 'ended';
      case 'tx1':
        await this.creation.tx1();
        return 'commit';
      case 'commit': {
        const decision = await this.creation.commit();
        if (decision === 'gone') return this.#look(store);
        return decision === 'committed' ? 'tx2' : 'void';
      }
      case 'tx2':
        if (await applied(store, [deleteOpenCharge(charge.id), ...CHARGED_VOLUMES.forward(charge)])) {
          this.isAnswered = true;
          return 'answered';
        }
        return this.#look(store);
      case 'void':
        await store.apply([markVoid(charge.id)]);
        return 'revoke';
      case 'revoke':
        await settlements.undo(charge, soon());
        return 'destroy';
      case 'destroy':
        await applied(store, [markUndo(charge.id), ...CHARGED_VOLUMES.destroy(charge)]);
        return 'undo';
      case 'undo':
        await settlements.undo(charge, soon());
        return 'ended';
      case 'answered':
        return 'grow';
      case 'grow': {
        const { id, projectId, deltas } = this.growth;
        const { answer } = await this.engine.quota.reserve(projectId, deltas, { id, deadline: soon() });
        return answer === 'reserved' ? 'record hold' : 'delete';
      }
      case 'record hold':
        await store.apply([insertHold(this.growth)]);
        return 'hold';
      case 'hold': {
        const decision = await settlements.hold(this.growth, soon());
        return decision === 'held' ? 'held' : this.#lookAtHold(store);
      }
      case 'held':
        return (await applied(store, [markHeld(this.growth.id)])) ? 'work' : this.#lookAtHold(store);
      case 'work': {
        if (this.growthFails) return 'fail';
        const { volumeId } = this.creation;
        const grown = { statement: growVolume.with({ id: volumeId }), rows: 1 };
        if (!(await applied(store, [grown, markFinal(this.growth.id)]))) return this.#lookAtHold(store);
        this.creation.sizeGib += 1;
        return 'settle hold';
      }
      case 'fail':
        await applied(store, [markUndo(this.growth.id)]);
        return 'settle hold';
      case 'settle hold':
        await settlements.settle(this.growth, soon());
        return 'delete';
      case 'delete':
        this.#release = await this.creation.destroy();
        this.isDeleted = true;
        return 'release';
      case 'release':
        if (this.#release) await settlements.settle(this.#release, soon());
        return 'ended';
      case 'ended':
        return undefined;
    }
  }

  /** Somebody else was at the hold: it is decided, disowned, or undone; or Redis said no, and nobody has done anything yet. */
  async #lookAtHold(store: Store): Promise<Stage> {
    const row = await findSettlement(store, this.growth.id);
    if (!row) return 'delete';
    return row.state === 'held' ? 'work' : 'fail';
  }

  /** Somebody else has settled the charge: it went forward, or it is gone; or it is disowned and ours to revert. */
  async #look(store: Store): Promise<Stage> {
    if (await findSettlement(store, this.creation.reservationId)) return 'void';
    const [row] = await store.read(findWorker.with({ id: this.creation.volumeId }));
    if (row?.state !== 'ready') return 'ended';
    this.isAnswered = true;
    return 'answered';
  }
}

type Action =
  | { readonly what: 'step' | 'lost' | 'kill'; readonly actor: number }
  | { readonly what: 'sweep' | 'rebuild' | 'empty' | 'remember' | 'put back' | 'age' };

const actor = fc.nat({ max: ACTORS - 1 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ what: fc.constant('step' as const), actor }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom('lost', 'kill'), actor }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('sweep', 'rebuild') }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('empty', 'remember', 'put back', 'age') }) },
);

test('whatever is killed, lost, repeated, put back or slept through, quota ends equal to the records', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { leaseMs: 200 });
  const seed = Number(process.env['CINDER_TEST_SEED'] ?? Date.now() % 2 ** 31);
  t.log(`seed ${seed}`);
  // the actions of one inner list run at the same time
  const schedule = fc.array(fc.array(action, { minLength: 1, maxLength: 3 }), { minLength: 40, maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(schedule, async (turns) => {
      const world = new World(engine, await projectWith(engine.store, { volumes: LIMIT, gigabytes: GIB_LIMIT }));
      for (const turn of turns) {
        await Promise.all(turn.map((one) => world.act(one)));
        await world.checkLimit();
      }
      await world.end();
    }),
    { numRuns: RUNS, seed, includeErrorInReport: true },
  );
  t.pass();
});

class World {
  readonly #actors: Actor[];
  readonly #busy = new Set<Actor>();
  readonly #dead = new Set<Actor>();
  #snapshot: [string, Buffer, number][] = [];

  constructor(
    readonly engine: Engine,
    readonly projectId: string,
  ) {
    this.#actors = Array.from({ length: ACTORS }, (_, i) => new Actor(engine, projectId, i % 2 === 1));
  }

  async act(one: Action): Promise<void> {
    switch (one.what) {
      case 'step':
      case 'lost':
        return this.#step(one.actor, one.what === 'lost');
      case 'kill':
        return void this.#dead.add(this.#actor(one.actor));
      case 'sweep':
        return this.#sweep();
      case 'rebuild':
        return this.engine.rebuild.run(this.projectId, 'unknown', soon());
      case 'empty':
        return this.#empty();
      case 'remember':
        return void (this.#snapshot = await this.#keys());
      case 'put back':
        return this.#putBack();
      case 'age':
        return this.#age();
    }
  }

  /** What a script would believe must never be above the limit, and must promise what the records have decided. */
  async checkLimit(): Promise<void> {
    const { client } = this.engine.redis;
    const key = (name: string) => `{${this.projectId}}:${name}`;
    const [token, lease] = await client.hmget(key('u'), 'tok', 'lease');
    if (token !== (await this.engine.quota.token(this.projectId, soon())) || lease) return;
    for (const [resource, limit] of [
      ['volumes', LIMIT],
      ['gigabytes', GIB_LIMIT],
    ] as const) {
      const sums = await Promise.all(['u', 'h', 'p'].map((name) => client.hget(key(name), fieldOf(resource))));
      const sum = sums.reduce((total, one) => total + Number(one ?? 0), 0);
      if (sum > limit) throw new Error(`${sums.join(' + ')} ${resource} pass the limit`);
    }
    for (const { growth } of this.#actors) {
      if ((await findSettlement(this.engine.store, growth.id))?.state !== 'held') continue;
      if (!(await client.hexists(key('p'), shortId(growth.id)))) throw new Error('a decided hold is not promised');
    }
  }

  /** Lets everybody who is alive come to an end, then recovery, and compares quota with the records. */
  async end(): Promise<void> {
    for (const one of this.#actors) while (!this.#dead.has(one) && one.stage !== 'ended') await one.step(false);
    for (let round = 0; round < 5; round += 1) await this.#sweep();
    const { store, rebuild } = this.engine;
    for (const { creation, growth } of this.#dead) {
      // what the dead have reserved and nothing more would expire; whoever takes their work over lets it fail
      for (const ref of [creation.charge, growth]) await this.engine.quota.rollback(ref, soon());
      await applied(store, [markUndo(growth.id)]);
      await this.engine.settlements.settle(growth, soon());
    }
    const [rows] = await store.read(countSettlements.with({ project: this.projectId }));
    const [live] = await store.read(countVolumes.with({ project: this.projectId }));
    const count = Number(live?.count);
    if (Number(rows?.count) !== 0) throw new Error(`${rows?.count} settlements are left`);
    if (count > LIMIT) throw new Error(`${count} volumes pass the limit`);
    const gib = Number(live?.gib ?? 0);
    if (gib > GIB_LIMIT) throw new Error(`${gib} GiB pass the limit`);
    const expected = `${count}/0 ${gib}/0 ${count}/0 ${gib}/0`;
    const before = await figures(this.engine, this.projectId);
    await rebuild.run(this.projectId, 'unknown', soon());
    const after = await figures(this.engine, this.projectId);
    if (before !== expected || after !== expected)
      throw new Error(`${before}, rebuilt ${after}; records say ${expected}`);
    for (const { isAnswered, isDeleted, creation } of this.#actors) {
      const [row] = await store.read(findLive.with({ id: creation.volumeId }));
      if (isAnswered && !isDeleted && !row) throw new Error('a volume that was answered is gone');
    }
  }

  async #step(index: number, isReplyLost: boolean): Promise<void> {
    const one = this.#actor(index);
    if (this.#busy.has(one) || this.#dead.has(one)) return;
    this.#busy.add(one);
    await one.step(isReplyLost);
    this.#busy.delete(one);
  }

  async #sweep(): Promise<void> {
    await this.engine.store.apply([{ statement: endLeases.with({ project: this.projectId }) }]);
    await this.engine.recovery.sweep();
  }

  async #keys(): Promise<[string, Buffer, number][]> {
    const { client } = this.engine.redis;
    const keys = await client.keys(`{${this.projectId}}:*`);
    const dumped = await Promise.all(
      keys.map(async (key) => {
        const value = (await client.dumpBuffer(key)) as Buffer | null; // its type forgets keys that are gone
        return { key, value, at: Math.max(0, await client.pexpiretime(key)) };
      }),
    );
    return dumped.flatMap(({ key, value, at }) => (value ? [[key, value, at]] : []));
  }

  async #empty(): Promise<void> {
    const { client } = this.engine.redis;
    const keys = await client.keys(`{${this.projectId}}:*`);
    if (keys.length > 0) await client.del(...keys);
  }

  /** An old file restored: its data is of another incarnation. In one transaction, as a start is one moment. */
  async #putBack(): Promise<void> {
    const { client } = this.engine.redis;
    const present = await client.keys(`{${this.projectId}}:*`);
    const restore = client.multi();
    for (const key of present) restore.del(key);
    for (const [key, value, at] of this.#snapshot) restore.call('RESTORE', key, at, value, 'REPLACE', 'ABSTTL');
    restore.hset(`{${this.projectId}}:u`, 'tok', 'of another incarnation');
    await restore.exec();
  }

  /** Everybody sleeps longer than any time to live. */
  async #age(): Promise<void> {
    const { client } = this.engine.redis;
    await this.engine.store.apply([{ statement: endReleases.with({ project: this.projectId }) }]);
    const mortal = (await client.keys(`{${this.projectId}}:*`)).filter((key) => !/:[up]$/.test(key));
    if (mortal.length > 0) await client.del(...mortal);
  }

  #actor(index: number): Actor {
    const one = this.#actors[index];
    if (!one) throw new RangeError(`no actor ${index}`);
    return one;
  }
}

/** False when a statement touched another number of rows than it must. */
async function applied(store: Store, unit: readonly Step[]): Promise<boolean> {
  try {
    await store.apply(unit);
    return true;
  } catch (error) {
    if (error instanceof RowCountMismatch) return false;
    throw error;
  }
}

const findWorker = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('workers').select('state').where('resource_id', '=', p.id),
);
const findLive = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('volumes').select('id').where('id', '=', p.id).where('deleted_at', 'is', null),
);
const countVolumes = statement<{ project: string }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(({ fn }) => [fn.countAll().as('count'), fn.sum('size').as('gib')])
    .where('project_id', '=', p.project)
    .where('deleted_at', 'is', null),
);
const growVolume = statement<{ id: string }>()(({ db }, p) =>
  db
    .updateTable('volumes')
    .set(({ eb }) => ({ size: eb('size', '+', 1) }))
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);
const countSettlements = statement<{ project: string }>()(({ db }, p) =>
  db
    .selectFrom('quota_settlements')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('project_id', '=', p.project),
);
const endLeases = statement<{ project: string }>()(({ db }, p) =>
  db.updateTable('quota_settlements').set({ lease_until: 0 }).where('project_id', '=', p.project),
);
const endReleases = statement<{ project: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ until: 1 })
    .where('project_id', '=', p.project)
    .where('kind', '=', 'release'),
);
