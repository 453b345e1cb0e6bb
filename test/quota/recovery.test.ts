import { randomUUID } from 'node:crypto';
import test from 'ava';
import {
  findSettlement,
  insertCharge,
  insertHold,
  markFinal,
  markHeld,
  markUndo,
  markVoid,
  takeRecoverable,
} from '#src/db/quota-settlements.js';
import { type ProcessRecord, putProcess, stopProcess } from '#src/db/processes.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { databaseNow } from '#src/db/worker-cleanup.js';
import { Recovery } from '#src/quota/recovery.js';
import { silent } from '../casts/rows.js';
import { CHARGED_VOLUMES, Creation, type Engine, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { connect, eventually, newProject, redisFor, redisServerFor, SILENT } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

/** Where a create may crash, and whether the volume is there when recovery has ended it. */
const CRASHES: Record<string, { survives: boolean; until: (creation: Creation) => Promise<unknown> }> = {
  'the record is written': {
    survives: true,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
    },
  },
  'the reservation of a written record has expired': {
    survives: false,
    until: async (creation) => {
      await creation.reserve(1);
      await creation.tx1();
      const { engine, projectId } = creation;
      await eventually('expired', async () => (await figures(engine, projectId)) === '1/0 1/0 1/0 1/0');
    },
  },
  'the charge is committed': {
    survives: true,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.commit();
    },
  },
  'the charge is committed and a rebuild has disowned it': {
    survives: false,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.commit();
      await creation.engine.rebuild.run(creation.projectId, 'unknown', soon());
    },
  },
  'the record is written and its reservation has vanished': {
    survives: false,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.engine.redis.client.del(`{${creation.projectId}}:h`, `{${creation.projectId}}:d`);
    },
  },
  'a reverting flow has disowned the charge': {
    survives: false,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.commit();
      await creation.engine.store.apply([markVoid(creation.reservationId)]);
    },
  },
  'a reverting flow has taken the charge back': {
    survives: false,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.commit();
      await creation.engine.store.apply([markVoid(creation.reservationId)]);
      await creation.engine.settlements.undo(creation.charge, soon());
    },
  },
  'a reverting flow has destroyed the record': {
    survives: false,
    until: async (creation) => {
      await creation.reserve();
      await creation.tx1();
      await creation.commit();
      const row = { ...creation.charge, kind: 'charge', state: 'void', until: null, createdAt: 0 } as const;
      await creation.engine.store.apply([markUndo(row.id), ...CHARGED_VOLUMES.destroy(row)]);
    },
  },
};

for (const [what, { survives, until }] of Object.entries(CRASHES)) {
  storesFor(
    `a crash when ${what} ends with ${survives ? 'the volume' : 'nothing'} and exact quota`,
    async (t, store) => {
      const engine = engineOf(await redisFor(t), store);
      const projectId = await projectWith(store);
      await new Creation(engine, projectId, 1).all();
      const creation = new Creation(engine, projectId, 10);
      await until(creation);
      await swept(engine);
      await swept(engine);
      t.is(await findSettlement(store, creation.reservationId), undefined);
      t.is((await findVolume(store, { id: creation.volumeId })) !== undefined, survives);
      t.is(await workerState(store, creation.volumeId), survives ? 'ready' : undefined);
      t.is(await figures(engine, projectId), survives ? '2/0 11/0 2/0 11/0' : '1/0 1/0 1/0 1/0');
    },
  );
}

test('a crash before the record is written needs no recovery: the reservation expires', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).reserve(1);
  await eventually('expired', async () => (await figures(engine, projectId)) === '0/0 0/0 0/0 0/0');
  t.is(await engine.recovery.sweep(), 0);
});

for (const [what, repeatsRelease] of [
  ['and nothing else', false],
  ['and is released in Redis', true],
] as const) {
  storesFor(`a crash when a record is destroyed ${what} gives back once`, async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(store);
    await new Creation(engine, projectId, 1).all();
    const creation = new Creation(engine, projectId, 10);
    await creation.all();
    const release = await creation.destroy();
    const { until } = (await findSettlement(store, release.id)) ?? {};
    if (repeatsRelease) await engine.quota.release({ ...release, until: until ?? 0 }, soon());
    await swept(engine);
    t.is(await findSettlement(store, release.id), undefined);
    t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0');
  });
}

test('Redis lost at any point of a create or delete is made good by recovery', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const [written, committed, finished, destroyed] = [1, 2, 4, 8].map((size) => new Creation(engine, projectId, size));
  if (!written || !committed || !finished || !destroyed) return t.fail();
  await destroyed.all();
  await destroyed.destroy();
  await finished.all();
  for (const creation of [committed, written]) {
    await creation.reserve();
    await creation.tx1();
  }
  await committed.commit();
  await engine.redis.client.flushall();
  await swept(engine);
  await swept(engine);
  t.is(await figures(engine, projectId), '1/0 4/0 1/0 4/0');
  t.is(await findVolume(engine.store, { id: written.volumeId }), undefined);
  t.is(await findVolume(engine.store, { id: committed.volumeId }), undefined, 'it was never answered');
});

storesFor('a crash around a hold ends with the hold, its use, or nothing', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const recovery = recoveryOf(engine, { forward: () => [], destroy: () => [] });
  const hold = async (gigabytes: number) => {
    const row = { ...new Creation(engine, projectId).charge, id: randomUUID(), deltas: { gigabytes } };
    await engine.quota.reserve(projectId, row.deltas, { id: row.id, deadline: soon() });
    await store.apply([insertHold(row)]);
    return row;
  };
  const [open, held, final, failed] = [await hold(1), await hold(2), await hold(4), await hold(8)];
  for (const row of [held, final, failed]) {
    await engine.settlements.hold(row, soon());
    await store.apply([markHeld(row.id)]);
  }
  await store.apply([markFinal(final.id)]);
  await store.apply([markUndo(failed.id)]);
  await recovery.sweep();

  const state = async ({ id }: { id: string }) => (await findSettlement(store, id))?.state;
  t.deepEqual(
    [await state(open), await state(held), await state(final), await state(failed)],
    [...['held', 'held', undefined, undefined]],
  );
  t.is(await figures(engine, projectId), '0/0 4/3 0/0 0/0');
});

storesFor('a row is taken by one process at a time, when it is old enough', async (t, store) => {
  const ids = [randomUUID(), randomUUID(), randomUUID()];
  const row = { projectId: newProject(), deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: randomUUID() };
  for (const id of ids) await store.apply([insertCharge({ ...row, id })]);
  const take = async (owner: string, minAgeMs: number, leaseMs: number, limit: number) =>
    (await takeRecoverable(store, { owner, minAgeMs, downAfterMs: 60_000, leaseMs, limit })).map(({ id }) => id).sort();

  t.deepEqual(await take('a', 60_000, 60_000, 10), []);
  const [first, second] = await Promise.all([take('a', 0, 60_000, 2), take('b', 0, 60_000, 2)]);
  t.deepEqual([...first, ...second].sort(), [...ids].sort());
  t.deepEqual(await take('c', 0, 60_000, 10), []);
});

storesFor('rows that cannot be ended keep no others waiting, however many and old they are', async (t, store) => {
  const rows = await threeCharges(store, { createdAgoMs: [30_000, 20_000, 10_000] });
  const take = async (limit: number) =>
    (await takeRecoverable(store, { ...ANYBODY, leaseMs: 0, limit })).map(({ id }) => rows.indexOf(id)).sort();

  t.deepEqual(await take(2), [0, 1]);
  t.deepEqual(await take(1), [2]);
  t.deepEqual(await take(3), [0, 1, 2]);
});

storesFor('rows from before the clock was set back are taken', async (t, store) => {
  await threeCharges(store, { createdAgoMs: [-3_600_000, 120_000, 120_000], leasedForMs: [0, 3_600_000, 10_000] });
  const rows = await takeRecoverable(store, { ...ANYBODY, limit: 10 });
  t.is(rows.length, 2, 'the third is somebody’s');
});

/** What may become of the process of a flow, and whether its row is taken before it is old. */
const FATES: Record<string, { readonly taken: boolean; readonly befall: (store: Store) => Promise<unknown> }> = {
  'is alive': { taken: false, befall: async () => undefined },
  'was not heard of for long': { taken: true, befall: (store) => silent(store, OWNER, 61_000) },
  'has stopped': { taken: true, befall: (store) => store.apply([stopProcess(OWNER)]) },
  'was started anew at its address': {
    taken: true,
    befall: (store) => store.apply([putProcess(run('newer', ADDRESS))]),
  },
  'has a neighbour': { taken: false, befall: (store) => store.apply([putProcess(run('newer', '127.0.0.1:2'))]) },
};

for (const [what, { taken, befall }] of Object.entries(FATES)) {
  storesFor(
    `a young row whose process ${what} is ${taken ? 'taken at once' : 'left to its flow'}`,
    async (t, store) => {
      const engine = engineOf(await redisFor(t), store);
      const creation = new Creation(engine, await projectWith(store));
      await creation.reserve();
      await store.apply([putProcess(run(OWNER, ADDRESS))]);
      await creation.tx1(OWNER);
      const begun = await databaseNow(store);
      await eventually('the clock moves on', async () => (await databaseNow(store)) > begun);
      await befall(store);
      const query = { owner: 'me', minAgeMs: 60_000, downAfterMs: 60_000, leaseMs: 60_000, limit: 10 };
      t.is((await takeRecoverable(store, query)).length, taken ? 1 : 0);
    },
  );
}

const OWNER = 'an-api';
const ADDRESS = '127.0.0.1:1';

function run(incarnation: string, endpoint: string): ProcessRecord {
  return { incarnation, endpoint, binary: 'cinder-api', host: 'h', rpcVersion: '', objectVersion: '1.39' };
}

storesFor('two recoveries at once end every row once', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store, { volumes: -1 });
  const left = Array.from({ length: 30 }, () => new Creation(engine, projectId, 1));
  for (const creation of left) {
    await creation.reserve();
    await creation.tx1();
  }
  const other = recoveryOf(engine);
  await Promise.all([engine.recovery.sweep(), other.sweep()]);
  t.is(await figures(engine, projectId), '30/0 30/0 30/0 30/0');
  for (const { volumeId } of left) t.is(await workerState(store, volumeId), 'ready');
});

test('a started recovery sweeps by itself and stops at once', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  engine.recovery.start();
  t.teardown(() => engine.recovery.stop());
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  await eventually('recovered', async () => (await workerState(engine.store, creation.volumeId)) === 'ready');

  await engine.recovery.stop();
  const left = new Creation(engine, projectId, 10);
  await left.reserve();
  await left.tx1();
  t.is(await workerState(engine.store, left.volumeId), 'staged');
});

test('without Redis a recovery waits, and goes on when Redis is back', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  const { client } = engine.redis;
  await client.client('PAUSE', 1_500);
  await recoveryOf(engine, CHARGED_VOLUMES, 2_000).sweep();
  t.is((await findSettlement(engine.store, creation.reservationId))?.state, 'open');
  await eventually('recovered', async () => {
    await swept(engine);
    return (await workerState(engine.store, creation.volumeId)) === 'ready';
  });
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
});

test('what a recovery took before it died is recovered by another within the time in which deaths are seen', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const creation = new Creation(engine, await projectWith(engine.store), 10);
  await creation.reserve();
  await creation.tx1();
  const seenSoon = {
    ...engine,
    resources: CHARGED_VOLUMES,
    owner: randomUUID(),
    flowDeadlineMs: 0,
    downAfterMs: 3_000,
  };
  await engine.redis.client.client('PAUSE', 1_500);
  await new Recovery({ ...seenSoon, log: SILENT }).sweep(); // it has the row, and ends without an answer
  t.is((await findSettlement(engine.store, creation.reservationId))?.state, 'open');

  const heir = new Recovery({ ...seenSoon, owner: randomUUID(), log: SILENT });
  heir.start();
  t.teardown(() => heir.stop());
  const recovered = async () => (await workerState(engine.store, creation.volumeId)) === 'ready';
  await eventually('recovered', recovered, 10_000);
  t.true(await recovered());
});

const ANYBODY = { owner: 'anybody', minAgeMs: 5_000, downAfterMs: 60_000, leaseMs: 30_000 };

/** Charges with these ages and leases, by the database's clock. Returns their ids. */
async function threeCharges(
  store: Store,
  {
    createdAgoMs,
    leasedForMs = [],
  }: { readonly createdAgoMs: readonly number[]; readonly leasedForMs?: readonly number[] },
): Promise<readonly string[]> {
  const ids = createdAgoMs.map(() => randomUUID());
  const row = { projectId: newProject(), deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: randomUUID() };
  const now = await databaseNow(store);
  for (const [index, id] of ids.entries()) {
    const times = {
      created: now - (createdAgoMs[index] ?? 0),
      leased: leasedForMs[index] ? now + leasedForMs[index] : 0,
    };
    await store.apply([insertCharge({ ...row, id }), { statement: setTimes.with({ id, ...times }), rows: 1 }]);
  }
  return ids;
}

const setTimes = statement<{ id: string; created: number; leased: number }>()(({ db }, p) =>
  db.updateTable('quota_settlements').set({ created_at: p.created, lease_until: p.leased }).where('id', '=', p.id),
);

function recoveryOf(engine: Engine, resources = CHARGED_VOLUMES, leaseMs = 30_000): Recovery {
  const { store, settlements, rebuild } = engine;
  const own = { owner: randomUUID(), flowDeadlineMs: 0, leaseMs };
  return new Recovery({ store, settlements, rebuild, resources, log: SILENT, ...own });
}

/** One round of a process of its own. */
async function swept(engine: Engine): Promise<void> {
  await recoveryOf(engine).sweep();
}

async function workerState(store: Store, volumeId: string): Promise<string | undefined> {
  const [row] = await store.read(findWorker.with({ id: volumeId }));
  return row?.state;
}

const findWorker = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('workers').select('state').where('resource_id', '=', p.id),
);
