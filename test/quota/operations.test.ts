import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { usageOf } from '#src/api/quota-sets.js';
import { upsertLimit } from '#src/db/quota-limits.js';
import { insertRelease } from '#src/db/quota-settlements.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { insertVolumeType, updateVolumeType } from '#src/db/volume-type-changes.js';
import { backupAmounts } from '#src/quota/deltas/backup.js';
import { GROUP_AMOUNTS, groupDeletionAmounts } from '#src/quota/deltas/group.js';
import {
  groupSnapshotAmounts,
  managedSnapshotAmounts,
  snapshotAmounts,
  type SnapshotOptions,
} from '#src/quota/deltas/snapshot.js';
import { extendAmounts, manageAmounts, retypeAmounts, transferAmounts } from '#src/quota/deltas/volume.js';
import { RESOURCES, typeKey, volumeAmounts } from '#src/quota/resources.js';
import { type Change, charged, held, recordedUse, released, used } from '../support/quota-changes.js';
import { type Engine, engineOf, projectWith, soon } from '../support/quota.js';
import {
  backup,
  group,
  removed,
  resized,
  resizedSnapshot,
  retyped,
  snapshot,
  transferred,
  volume,
} from '../support/quota-records.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

const [A, B] = [randomUUID(), randomUUID()];
const COUNTED: SnapshotOptions = { countSnapshotGib: true };
const KEYS = [
  ...RESOURCES.slice(0, -1),
  ...[A, B].flatMap((type) => [typeKey('volumes', type), typeKey('snapshots', type)]),
];

/** A project with a volume of 10 GiB and type A, and with two snapshots of it. */
async function projectOn(t: ExecutionContext, store: Store, limits: Readonly<Record<string, number>> = {}) {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store, { volumes: -1, gigabytes: -1, snapshots: -1, ...limits });
  const made = volume({ projectId, sizeGib: 10, volumeTypeId: A });
  await charged(engine, { projectId, deltas: volumeAmounts({ sizeGib: 10, volumeTypeId: A }), steps: made.steps });
  const snapshots = [8, 10].map((sizeGib) => ({ ...snapshot({ projectId, volumeId: made.id, sizeGib }), sizeGib }));
  for (const { sizeGib, steps } of snapshots) {
    await charged(engine, { projectId, deltas: snapshotAmounts({ sizeGib, volumeTypeId: A }, COUNTED), steps });
  }
  return { engine, projectId, volumeId: made.id, snapshots };
}

/** Redis says what the records say, nothing is reserved, and a rebuild finds nothing to change. */
async function isExact(t: ExecutionContext, engine: Engine, projectId: string, what = 'exact'): Promise<void> {
  const recorded = await recordedUse(engine, projectId);
  t.deepEqual(await used(engine, projectId, KEYS), recorded, what);
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), recorded, `${what}, rebuilt`);
}

storesFor('snapshots are charged beside their volume, and given back of the type it has then', async (t, store) => {
  const { engine, projectId, volumeId, snapshots } = await projectOn(t, store);
  await isExact(t, engine, projectId);
  t.like(await used(engine, projectId, KEYS), {
    volumes: '1',
    snapshots: '2',
    gigabytes: '28',
    [typeKey('snapshots', A)]: '2',
  });

  const retype = retypeAmounts({ sizeGib: 10, volumeTypeId: A, snapshots }, B, COUNTED);
  await (await held(engine, { projectId, deltas: retype, steps: [retyped(volumeId, B)] })).finish();
  const [gone] = snapshots;
  const deltas = snapshotAmounts({ sizeGib: gone?.sizeGib ?? 0, volumeTypeId: B }, COUNTED);
  await released(engine, { projectId, deltas, steps: [removed('snapshots', gone?.id ?? '')] });
  await isExact(t, engine, projectId);
  t.like(await used(engine, projectId, KEYS), {
    gigabytes: '20',
    [typeKey('snapshots', B)]: '1',
    [typeKey('gigabytes', B)]: '20',
  });
});

storesFor('a group snapshot takes all its members, of whatever types, or none', async (t, store) => {
  const { engine, projectId, volumeId } = await projectOn(t, store, { [typeKey('snapshots', B)]: 1 });
  const other = volume({ projectId, sizeGib: 3, volumeTypeId: B });
  await charged(engine, { projectId, deltas: volumeAmounts({ sizeGib: 3, volumeTypeId: B }), steps: other.steps });
  const members = [
    { sizeGib: 10, volumeTypeId: A },
    { sizeGib: 3, volumeTypeId: B },
  ];
  const change = (): Change => ({
    ...{ projectId, deltas: groupSnapshotAmounts(members, COUNTED) },
    steps: [volumeId, other.id].flatMap(
      (id, i) => snapshot({ projectId, volumeId: id, sizeGib: members[i]?.sizeGib ?? 0 }).steps,
    ),
  });
  await charged(engine, change());
  await isExact(t, engine, projectId);
  await t.throwsAsync(charged(engine, change()), { message: new RegExp(`on ${typeKey('snapshots', B)}\\.`) });
  await isExact(t, engine, projectId, 'nothing of what was over');
});

storesFor('backups and groups come and go without a trace; a group takes its volumes along', async (t, store) => {
  const { engine, projectId, volumeId, snapshots } = await projectOn(t, store, { groups: 1, backups: 1 });
  const before = await used(engine, projectId, KEYS);
  const [saved, united] = [backup({ projectId, sizeGib: 10 }), group({ projectId })];
  await charged(engine, { projectId, deltas: backupAmounts(10), steps: saved.steps });
  await charged(engine, { projectId, deltas: GROUP_AMOUNTS, steps: united.steps });
  await isExact(t, engine, projectId);
  t.like(await used(engine, projectId, KEYS), { backups: '1', backup_gigabytes: '10', groups: '1' });
  await t.throwsAsync(charged(engine, { projectId, deltas: backupAmounts(1), steps: [] }), { message: /on backups\./ });
  await t.throwsAsync(charged(engine, { projectId, deltas: GROUP_AMOUNTS, steps: [] }), { message: /on groups\./ });

  await released(engine, { projectId, deltas: backupAmounts(10), steps: [removed('backups', saved.id)] });
  await released(engine, { projectId, deltas: GROUP_AMOUNTS, steps: [removed('groups', united.id)] });
  t.deepEqual(await used(engine, projectId, KEYS), before);

  const last = group({ projectId });
  await charged(engine, { projectId, deltas: GROUP_AMOUNTS, steps: last.steps });
  for (const { id, sizeGib } of snapshots) {
    const deltas = snapshotAmounts({ sizeGib, volumeTypeId: A }, COUNTED);
    await released(engine, { projectId, deltas, steps: [removed('snapshots', id)] });
  }
  const deltas = groupDeletionAmounts([{ sizeGib: 10, volumeTypeId: A }]);
  await released(engine, { projectId, deltas, steps: [removed('groups', last.id), removed('volumes', volumeId)] });
  t.deepEqual(await used(engine, projectId, KEYS), {});
  await isExact(t, engine, projectId);
});

storesFor('an extension is held while it lasts, and is use, or nothing, when it has ended', async (t, store) => {
  const { engine, projectId, volumeId } = await projectOn(t, store, { gigabytes: 38 });
  const change = { projectId, deltas: extendAmounts({ volumeTypeId: A }, 10), steps: [resized(volumeId, 20)] };
  const failing = await held(engine, change);
  await t.throwsAsync(held(engine, change), { message: /on gigabytes\./ }, 'what is held is not free');
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.like(await used(engine, projectId, KEYS), { gigabytes: '28/10', [typeKey('gigabytes', A)]: '28/10' });
  await failing.fail();
  await isExact(t, engine, projectId, 'after a failure');

  await (await held(engine, change)).finish();
  t.like(await used(engine, projectId, KEYS), { gigabytes: '38', [typeKey('gigabytes', A)]: '38' });
  await isExact(t, engine, projectId);
});

storesFor('a retype holds what the new type takes; the old type gives when it has ended', async (t, store) => {
  const { engine, projectId, volumeId, snapshots } = await projectOn(t, store, { [typeKey('gigabytes', B)]: 28 });
  const deltas = retypeAmounts({ sizeGib: 10, volumeTypeId: A, snapshots }, B, COUNTED);
  const change = { projectId, deltas, steps: [retyped(volumeId, B)] };
  const failing = await held(engine, change);
  const during = await used(engine, projectId, KEYS);
  t.like(during, {
    gigabytes: '28',
    [typeKey('gigabytes', A)]: '28',
    [typeKey('volumes', B)]: '0/1',
    [typeKey('snapshots', B)]: '0/2',
  });
  await t.throwsAsync(held(engine, change), { message: new RegExp(typeKey('gigabytes', B)) });
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), during, 'a rebuild keeps both sides');
  await failing.fail();
  await isExact(t, engine, projectId, 'after a failure');

  await (await held(engine, change)).finish();
  await isExact(t, engine, projectId);
  t.like(await used(engine, projectId, KEYS), {
    gigabytes: '28',
    [typeKey('gigabytes', B)]: '28',
    [typeKey('volumes', B)]: '1',
  });
  t.is((await used(engine, projectId, KEYS))[typeKey('volumes', A)], undefined);
});

storesFor('a transfer charges who receives and gives back to who gave, snapshots included', async (t, store) => {
  const { engine, projectId: donor, volumeId, snapshots } = await projectOn(t, store);
  const recipient = await projectWith(store, { snapshots: 2 });
  const deltas = transferAmounts({ sizeGib: 10, volumeTypeId: A }, snapshots, COUNTED);
  const tooFew = await projectWith(store, { snapshots: 1 });
  await t.throwsAsync(charged(engine, { projectId: tooFew, deltas, steps: [] }), { message: /on snapshots\./ });

  const release = { id: randomUUID(), projectId: donor, deltas, resourceType: 'Volume', resourceId: volumeId };
  const steps = [...transferred(volumeId, recipient), insertRelease(release, engine.quota.graceMs)];
  await (await held(engine, { projectId: recipient, deltas, steps })).finish();
  t.is(await engine.settlements.settle(release, soon()), 'settled');
  t.deepEqual(await used(engine, donor, KEYS), {});
  t.deepEqual(await used(engine, tooFew, KEYS), {});
  for (const project of [donor, recipient]) await isExact(t, engine, project);
});

storesFor('what is taken over is charged as one first, and with its size when that is known', async (t, store) => {
  const { engine, projectId, volumeId } = await projectOn(t, store, { gigabytes: 60 });
  const managed = volume({ projectId, sizeGib: 0, volumeTypeId: A });
  await charged(engine, { projectId, deltas: manageAmounts(A), steps: managed.steps });
  await isExact(t, engine, projectId);
  const grown = { projectId, deltas: extendAmounts({ volumeTypeId: A }, 30), steps: [resized(managed.id, 30)] };
  await charged(engine, grown);
  await isExact(t, engine, projectId);
  await t.throwsAsync(charged(engine, { ...grown, steps: [] }), { message: /on gigabytes\./ });

  await store.apply([upsertLimit(projectId, 'gigabytes', 68)]);
  const asked = snapshotAmounts({ sizeGib: 10, volumeTypeId: A }, COUNTED);
  const taken = snapshot({ projectId, volumeId, sizeGib: 10 });
  await charged(engine, { projectId, deltas: asked, steps: taken.steps });
  await t.throwsAsync(charged(engine, { projectId, deltas: asked, steps: [] }), { message: /on gigabytes\./ });
  const smaller = managedSnapshotAmounts(A, { fromGib: 10, toGib: 4 }, COUNTED) ?? {};
  await charged(engine, { projectId, deltas: smaller, steps: [resizedSnapshot(taken.id, 4)] });
  t.like(await used(engine, projectId, KEYS), { volumes: '2', snapshots: '3', gigabytes: '62' });
  await isExact(t, engine, projectId, 'smaller than its volume');
});

test('a limit below what is in use keeps what there is and denies what is new, nothing included', async (t) => {
  const { engine, projectId } = await projectOn(t, await sqliteStore(t));
  await engine.store.apply([upsertLimit(projectId, 'volumes', 0), upsertLimit(projectId, 'gigabytes', 5)]);
  const ask = async (deltas: Record<string, number>) => {
    const reply = await engine.quota.reserve(projectId, deltas, { id: randomUUID(), deadline: soon() });
    return reply.answer === 'reserved' ? 'reserved' : reply.over.map(({ resource }) => resource).sort();
  };
  t.deepEqual(await ask({ volumes: 1, gigabytes: 1, snapshots: 1 }), ['gigabytes', 'volumes']);
  t.deepEqual(await ask({ gigabytes: 0 }), ['gigabytes']);
  t.is(await ask({ gigabytes: -1, volumes: -1 }), 'reserved');
  t.is(await ask({ snapshots: 1 }), 'reserved', 'what has room has room');
  t.like(await used(engine, projectId, KEYS), { volumes: '1', gigabytes: '28', snapshots: '2/1' });
});

test('where gigabytes of snapshots are not counted, neither amounts nor sums have them', async (t) => {
  const sums = { countSnapshotGib: false };
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { sums });
  const projectId = await projectWith(engine.store, { gigabytes: 10 });
  const made = volume({ projectId, sizeGib: 10, volumeTypeId: A });
  await charged(engine, { projectId, deltas: volumeAmounts({ sizeGib: 10, volumeTypeId: A }), steps: made.steps });
  const { steps } = snapshot({ projectId, volumeId: made.id, sizeGib: 10 });
  await charged(engine, { projectId, deltas: snapshotAmounts({ sizeGib: 10, volumeTypeId: A }, sums), steps });
  const before = await used(engine, projectId, KEYS);
  t.deepEqual(before, await recordedUse(engine, projectId, false));
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), before);
  t.like(before, { gigabytes: '10', snapshots: '1' });
});

test('a type that is renamed or deleted keeps what it uses, and gives it back', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const { store } = engine;
  const projectId = await projectWith(store);
  const id = randomUUID();
  const isPublic = true;
  await store.apply(insertVolumeType({ id, name: 'fast', description: null, isPublic, extraSpecs: new Map() }));
  const made = volume({ projectId, sizeGib: 4, volumeTypeId: id });
  const deltas = volumeAmounts({ sizeGib: 4, volumeTypeId: id });
  await charged(engine, { projectId, deltas, steps: made.steps });

  await store.apply([updateVolumeType(id, { name: 'swift' })]);
  const { usage } = await usageOf(engine, projectId, soon());
  t.is(usage.get('gigabytes_swift')?.inUse, 4);
  t.false(usage.has('gigabytes_fast'));
  await store.apply([{ statement: deleteType.with({ id }), rows: 1 }]);
  t.false((await usageOf(engine, projectId, soon())).usage.has('gigabytes_swift'));
  await released(engine, { projectId, deltas, steps: [removed('volumes', made.id)] });
  t.deepEqual(await used(engine, projectId, [...KEYS, ...Object.keys(deltas)]), {});
});

/** Though it has a volume, which the product prevents. */
const deleteType = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volume_types').set({ deleted_at: now }).where('id', '=', p.id),
);
