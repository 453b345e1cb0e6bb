import test from 'ava';
import { sql } from 'kysely';
import { listQuotaProjects, noteProject, takeUnchecked } from '#src/db/quota-projects.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { type CheckedBy, type CheckOutcome, QuotaCheck } from '#src/quota/check.js';
import { Reconciler } from '#src/quota/reconciler.js';
import { keysOf } from '#src/quota/scripts.js';
import { Creation, type Engine, engineOf, figures, projectWith } from '../support/quota.js';
import { eventually, recordingLog, redisFor, SILENT } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

const INTERVAL_MS = 3_600_000;
const LEASE_MS = 60_000;

storesFor('projects are compared when nobody has for an interval, by one process each', async (t, store) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  await store.apply(names.map((name) => noteProject(name)));
  t.deepEqual(
    await takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 3 }),
    [],
    'they were right when they were noted',
  );
  await longAgo(store);
  const taken = await Promise.all(
    Array.from({ length: 4 }, () => takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 3 })),
  );
  const first = taken.flat();
  t.is(new Set(first).size, first.length, 'none was taken twice');
  const rest = await takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 8 });
  t.deepEqual([...first, ...rest].sort(), names);
  t.deepEqual(await takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 8 }), []);
});

storesFor('projects that were compared before the clock was set back are compared', async (t, store) => {
  await store.apply([noteProject('before'), noteProject('now')]);
  await store.apply([{ statement: ahead.with({ project: 'before' }), rows: 1 }]);
  t.deepEqual(await takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 10 }), ['before']);
  t.deepEqual(await takeUnchecked(store, { minAgeMs: INTERVAL_MS, limit: 10 }), []);
});

storesFor(
  'every project whose usage was ever in Redis is listed, also when its last record is gone',
  async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const [first, second] = [await projectWith(store), await projectWith(store)].sort() as [string, string];
    t.deepEqual(await listQuotaProjects(store, { after: '', limit: 10 }), []);
    await figures(engine, second);
    await new Creation(engine, first).reserve();
    t.deepEqual(await listQuotaProjects(store, { after: '', limit: 10 }), [first, second]);
    t.deepEqual(await listQuotaProjects(store, { after: '', limit: 1 }), [first]);
    t.deepEqual(await listQuotaProjects(store, { after: first, limit: 10 }), [second]);
  },
);

test('what is wrong is mended, counted and told; what cannot be compared does not keep the others', async (t) => {
  const { engine, reconciler, outcomes, log } = await reconciling(t);
  const [right, wrong, gone] = [await charged(engine), await charged(engine), await charged(engine)];
  const broken = await projectWith(engine.store);
  const { client } = engine.redis;
  await client.hincrby(keysOf(wrong).usage, 'i:gigabytes', 100);
  await client.del(keysOf(gone).usage);
  await figures(engine, broken);
  await client.hset(keysOf(broken).usage, 'lease', `somebody ${Date.now() + LEASE_MS}`);

  t.is(await reconciler.round(), 0, 'they were counted just now');
  await longAgo(engine.store);
  t.is(await reconciler.round(), 4);

  t.deepEqual(
    outcomes.sort(),
    ['failed', 'mended', 'right', 'unloaded'].map((each) => `reconciler ${each}`),
  );
  t.is(await figures(engine, wrong), '1/0 10/0 1/0 10/0');
  const told = log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields?.projectId);
  t.deepEqual(told.sort(), [broken, wrong].sort());
  t.false(told.includes(right));
  t.is(await reconciler.round(), 0, 'nobody is compared twice in an interval');
});

test('it goes round by itself, and ends at once when it is told to', async (t) => {
  const { engine, reconciler } = await reconciling(t, { intervalMs: 1, periodMs: 20 });
  const projectId = await charged(engine);
  reconciler.start();
  reconciler.start();
  for (let n = 0; n < 2; n++) {
    await engine.redis.client.hincrby(keysOf(projectId).usage, 'i:volumes', 5);
    await eventually('mended', async () => (await figures(engine, projectId)) === '1/0 10/0 1/0 10/0');
  }
  const begun = performance.now();
  await reconciler.stop();
  await reconciler.stop();
  t.true(performance.now() - begun < 5_000);
  await engine.redis.client.hincrby(keysOf(projectId).usage, 'i:volumes', 5);
  t.is(await figures(engine, projectId), '6/0 10/0 1/0 10/0');
});

test('where nobody answers the round is over, and who was not reached is the next one', async (t) => {
  const { engine, log } = await reconciling(t);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  await engine.store.apply(names.map((name) => noteProject(name)));
  await longAgo(engine.store);
  const seen: string[] = [];
  let isAway = true;
  const check = {
    run: (projectId: string) => {
      seen.push(projectId);
      return isAway ? Promise.reject(new Error('away')) : Promise.resolve([]);
    },
  };
  const reconciler = new Reconciler({ store: engine.store, check, intervalMs: INTERVAL_MS, log });
  t.is(await reconciler.round(), 3);
  isAway = false;
  t.is(await reconciler.round(), 3);
  t.deepEqual(seen.toSorted(), names, 'each once');
});

test('a database that does not answer ends the round, not the reconciler', async (t) => {
  const { engine, log } = await reconciling(t);
  const down = { ...engine.store, apply: () => Promise.reject(new Error('down')) };
  const reconciler = new Reconciler({ store: down, check: engine.check, intervalMs: INTERVAL_MS, log });
  t.is(await reconciler.round(), 0);
  t.deepEqual(
    log.lines.map(({ message }) => message),
    ['quota is not compared with the records at the moment'],
  );
});

async function reconciling(
  t: Parameters<typeof sqliteStore>[0],
  options: { readonly intervalMs?: number; readonly periodMs?: number } = {},
) {
  const store = await sqliteStore(t);
  const engine = engineOf(await redisFor(t), store, { log: SILENT });
  const outcomes: string[] = [];
  const log = recordingLog();
  const { redis, scripts, rebuild } = engine;
  const check = new QuotaCheck({
    ...{ redis, scripts, store, rebuild, log, sums: { countSnapshotGib: true }, leaseMs: LEASE_MS },
    onChecked: (by: CheckedBy, outcome: CheckOutcome) => outcomes.push(`${by} ${outcome}`),
  });
  const reconciler = new Reconciler({ store, check, log, intervalMs: INTERVAL_MS, patienceMs: 2_000, ...options });
  t.teardown(() => reconciler.stop());
  return { engine, reconciler, outcomes, log };
}

/** A project with one volume of 10 GiB. */
async function charged(engine: Engine): Promise<string> {
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  return projectId;
}

const ahead = statement<{ project: string }>()(({ db, now }, p) =>
  db
    .updateTable('quota_projects')
    .set({ checked_at: sql<number>`${now} + ${2 * INTERVAL_MS}` })
    .where('project_id', '=', p.project),
);

const forget = statement()(({ db }) => db.updateTable('quota_projects').set({ checked_at: 0 }));

/** As if an interval had passed. */
async function longAgo(store: Store): Promise<void> {
  await store.apply([{ statement: forget.with({}) }]);
}
