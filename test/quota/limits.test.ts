import test from 'ava';
import { sql } from 'kysely';
import { deleteLimits, upsertClassLimit, upsertDefaultLimit, upsertLimit } from '#src/db/quota-limits.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { DEFAULT_LIMITS, Limits, type LimitsOptions } from '#src/quota/limits.js';
import { sqliteStore, storesFor } from '../support/sql.js';

const limitsOf = (store: Store, options: Partial<LimitsOptions> = {}) =>
  new Limits({ store, defaults: DEFAULT_LIMITS, maxAgeMs: 0, ...options });

storesFor('a limit is the own row, else the default class, else the option, else none', async (t, store) => {
  const limits = limitsOf(store);
  const of = async (resource: string, projectId = 'p1') => (await limits.of(projectId))(resource);
  t.is(await of('volumes'), 10);
  t.is(await of('volumes_some-type'), -1);

  await store.apply([upsertDefaultLimit('volumes', 20), upsertDefaultLimit('volumes_some-type', 3)]);
  t.is(await of('volumes'), 20);
  t.is(await of('volumes_some-type'), 3);

  await store.apply([upsertLimit('p1', 'volumes', 30), upsertLimit('p1', 'volumes', -1)]);
  t.is(await of('volumes'), -1);
  t.is(await of('volumes', 'p2'), 20);

  await store.apply([deleteLimits('p1')]);
  t.is(await of('volumes'), 20);
});

storesFor('the class of the caller comes before the defaults, and after the own row', async (t, store) => {
  await store.apply([
    ...[upsertDefaultLimit('volumes', 20), upsertDefaultLimit('groups', 21)],
    ...[upsertClassLimit('gold', 'volumes', 30), upsertClassLimit('gold', 'snapshots', 31)],
    upsertLimit('p1', 'snapshots', 40),
  ]);
  const limits = limitsOf(store, { maxAgeMs: 60_000 });
  const of = async (quotaClass?: string) => {
    const limitOf = await limits.of('p1', quotaClass);
    return ['volumes', 'groups', 'snapshots', 'backups'].map(limitOf);
  };
  t.deepEqual(await of(), [20, 21, 40, 10]);
  t.deepEqual(await of('gold'), [30, 21, 40, 10]);
  t.deepEqual(await of('nobody’s'), [20, 21, 40, 10]);

  await store.apply([upsertLimit('p1', 'snapshots', 41)]);
  limits.forget('p1');
  t.deepEqual(await of('gold'), [30, 21, 41, 10], 'a project is forgotten in all its classes');
  const ownOnly = limitsOf(store, { useDefaultQuotaClass: false });
  t.is((await ownOnly.of('p1', 'default'))('groups'), 21, 'a caller may be of the class default itself');
});

storesFor('a stored null decides nothing, at either level', async (t, store) => {
  await store.apply([
    upsertLimit('p1', 'gigabytes', 7),
    upsertDefaultLimit('volumes', 8),
    upsertDefaultLimit('gigabytes', 9),
  ]);
  await store.apply([{ statement: nullProject.with({}) }, { statement: nullClass.with({}) }]);
  const limitOf = await limitsOf(store).of('p1');
  t.is(limitOf('gigabytes'), 9, 'the class decides');
  t.is(limitOf('volumes'), 10, 'the option decides');
});

test('the default class can be switched off', async (t) => {
  const store = await sqliteStore(t);
  await store.apply([upsertDefaultLimit('volumes', 20)]);
  t.is((await limitsOf(store, { useDefaultQuotaClass: false }).of('p1'))('volumes'), 10);
});

test('a limit is read again when it is too old, or forgotten', async (t) => {
  const store = await sqliteStore(t);
  let now = 0;
  const limits = limitsOf(store, { maxAgeMs: 2_000, now: () => now });
  const volumes = async () => (await limits.of('p1'))('volumes');
  t.is(await volumes(), 10);
  await store.apply([upsertLimit('p1', 'volumes', 1)]);
  now = 1_999;
  t.is(await volumes(), 10);
  now = 2_000;
  t.is(await volumes(), 1);
  await store.apply([upsertLimit('p1', 'volumes', 2)]);
  limits.forget('p1');
  t.is(await volumes(), 2);
});

test('the projects that are remembered are bounded; the one not asked for longest goes first', async (t) => {
  const store = await sqliteStore(t);
  let reads = 0;
  const counting: Store = { ...bound(store), read: (statement) => ((reads += 1), store.read(statement)) };
  const limits = limitsOf(counting, { maxAgeMs: 60_000, capacity: 2 });
  for (const project of ['a', 'b', 'a', 'c', 'a']) await limits.of(project);
  t.is(reads, 3);
  await limits.of('b');
  t.is(reads, 4);
});

test('a database that does not answer is asked again by the next caller', async (t) => {
  const store = await sqliteStore(t);
  let isDown = true;
  const failing: Store = {
    ...bound(store),
    read: async (statement) => (isDown ? Promise.reject(new Error('down')) : store.read(statement)),
  };
  const limits = limitsOf(failing, { maxAgeMs: 60_000 });
  await t.throwsAsync(limits.of('p1'), { message: 'down' });
  isDown = false;
  t.is((await limits.of('p1'))('volumes'), 10);
});

function bound(store: Store): Store {
  return {
    dialect: store.dialect,
    apply: (unit) => store.apply(unit),
    read: (statement) => store.read(statement),
    close: () => store.close(),
  };
}

const nullProject = statement()(({ db }) => db.updateTable('quota_limits').set({ hard_limit: sql<null>`null` }));
const nullClass = statement()(({ db }) =>
  db
    .updateTable('quota_classes')
    .set({ hard_limit: sql<null>`null` })
    .where('resource', '=', 'volumes'),
);
