import test from 'ava';
import { sql } from 'kysely';
import { TRANSITIONS, type TransitionName, VOLUME_STATUSES, type VolumeStatus } from '#src/objects/volume-status.js';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch, type Step, type Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { forgetLeftover, type Leftover, leftoversOf } from '#src/db/leftovers.js';
import { destroyUnplaced, placeVolume, transition, unplaceVolume } from '#src/db/volume-transitions.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const readRow = statement<{ id: string }>()(({ db }, p) => db.selectFrom('volumes').selectAll().where('id', '=', p.id));
const column = (name: 'attach_status' | 'migration_status' | 'group_id') =>
  statement<{ id: string; value: string | null }>()(({ db }, p) =>
    db
      .updateTable('volumes')
      .set(sql.ref(name), sql`${p.value}`)
      .where('id', '=', p.id),
  );
const insertStaged = statement<{ id: string; payload: Buffer }>()(({ db, now }, p) =>
  db.insertInto('workers').values({
    ...{ resource_type: 'Volume', resource_id: p.id, status: 'creating', method: 'CreateVolume', payload: p.payload },
    ...{ binary: 'cinder-scheduler', payload_version: '3.0', context: '{}', state: 'staged', epoch: 1, claims: 0 },
    ...{ sends: 0, not_before: now, send_until: now, created_at: now, updated_at: now },
  }),
);

const PLACEMENT = { host: 'h@b#p', clusterName: null, availabilityZone: 'zone-b' };
const row = async (store: Store, id: string) => (await store.read(readRow.with({ id })))[0];
const isRefused = async (store: Store, step: Step) =>
  store.apply([step]).then(
    () => false,
    (error: unknown) => error instanceof RowCountMismatch && error.actual === 0,
  );

storesFor('a create goes from creating over its placement to available', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([placeVolume({ id, ...PLACEMENT })]);
  await store.apply([
    transition('finishCreate', { id, serviceId: 's1', sharedTargets: false, providerLocation: 'here' }),
  ]);
  const volume = await findVolume(store, { id });
  t.like(volume, {
    ...{ status: 'available', host: 'h@b#p', availabilityZone: 'zone-b', serviceId: 's1', sharedTargets: false },
    ...{ providerLocation: 'here', revision: 3, statusReason: null },
  });
  t.true([volume?.scheduledAt, volume?.launchedAt].every((time) => typeof time === 'number'));
});

storesFor('what the backend does not say stays as it was', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('finishCreate', { id })]);
  t.like(await findVolume(store, { id }), { serviceId: null, sharedTargets: true, providerLocation: null });
});

storesFor('a reschedule takes the placement back, and notes where it was', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply(unplaceVolume(id));
  await store.apply([placeVolume({ id, ...PLACEMENT }), ...unplaceVolume(id)]);
  await store.apply([placeVolume({ id, ...PLACEMENT }), ...unplaceVolume(id)]);
  t.like(await findVolume(store, { id }), { status: 'creating', host: null, revision: 6 });
  const noted = (backend: string, after?: Leftover) => leftoversOf(store, { backend, after, limit: 10 });
  const leftover = { host: 'h@b#p', volumeId: id };
  t.deepEqual(await noted('h@b'), [leftover]);
  t.deepEqual(await noted('h@b', leftover), []);
  t.deepEqual([await noted('h@a'), await noted('h@bb'), await noted('h@')], [[], [], []]);
  await store.apply([forgetLeftover(leftover)]);
  t.deepEqual(await noted('h@b'), []);
});

storesFor('a volume that is not being made keeps its place, and nothing is noted', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([placeVolume({ id, ...PLACEMENT }), transition('finishCreate', { id })]);
  await t.throwsAsync(store.apply(unplaceVolume(id)), { name: 'RowCountMismatch' });
  t.deepEqual(await leftoversOf(store, { backend: 'h@b', after: undefined, limit: 10 }), []);
});

storesFor('a failure keeps its reason, and the next success removes it', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('failCreate', { id, statusReason: 'no backend' })]);
  t.like(await findVolume(store, { id }), { status: 'error', statusReason: 'no backend' });
  await store.apply([transition('beginDelete', { id })]);
  t.like(await findVolume(store, { id }), { status: 'deleting', statusReason: null, previousStatus: 'error' });
});

storesFor('a deletion ends with a row that is deleted', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('finishCreate', { id })]);
  await store.apply([transition('beginDelete', { id })]);
  await store.apply([transition('finishDelete', { id })]);
  const deleted = await row(store, id);
  t.is(deleted?.status, 'deleted');
  t.true([deleted?.terminated_at, deleted?.deleted_at].every((time) => typeof time === 'number'));
  t.true(await isRefused(store, transition('finishDelete', { id })));
});

storesFor('a volume that is attached, migrates or is in a group is not deleted', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('finishCreate', { id })]);
  for (const [name, value, free] of [
    ['attach_status', 'attached', 'detached'],
    ['migration_status', 'migrating', 'success'],
    ['group_id', 'g1', null],
  ] as const) {
    await store.apply([{ statement: column(name).with({ id, value }) }]);
    t.true(await isRefused(store, transition('beginDelete', { id })), name);
    await store.apply([{ statement: column(name).with({ id, value: free }) }]);
  }
  t.false(await isRefused(store, transition('beginDelete', { id })));
});

storesFor('a volume is not deleted while another one is made from it', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('finishCreate', { id })]);
  const clone = await recorded(store, { sourceVolumeId: id });
  t.true(await isRefused(store, transition('beginDelete', { id })));
  await store.apply([transition('finishCreate', { id: clone.id })]);
  t.false(await isRefused(store, transition('beginDelete', { id })));
});

storesFor(
  'a volume without a host is destroyed in any status, but not before its creation is decided',
  async (t, store) => {
    const decided = await recorded(store);
    await store.apply([destroyUnplaced(decided.id)]);
    t.is((await row(store, decided.id))?.status, 'deleted');

    const staged = await recorded(store);
    await store.apply([{ statement: insertStaged.with({ id: staged.id, payload: Buffer.alloc(0) }) }]);
    t.true(await isRefused(store, destroyUnplaced(staged.id)));

    const placed = await recorded(store);
    await store.apply([placeVolume({ id: placed.id, ...PLACEMENT })]);
    t.true(await isRefused(store, destroyUnplaced(placed.id)));
  },
);

storesFor('of two who change a status at the same time one wins', async (t, store) => {
  const { id } = await recorded(store);
  const ended = await Promise.all([
    isRefused(store, transition('finishCreate', { id })),
    isRefused(store, transition('failCreate', { id })),
    isRefused(store, transition('undoCreate', { id })),
  ]);
  t.deepEqual(ended.filter((refused) => !refused).length, 1);
  t.is((await row(store, id))?.revision, 2);
});

const allowed = (name: TransitionName): readonly VolumeStatus[] => TRANSITIONS[name].from;

for (const name of Object.keys(TRANSITIONS) as TransitionName[]) {
  test(`${name} is possible from ${allowed(name).length} of ${VOLUME_STATUSES.length} statuses, as the table says`, async (t) => {
    const store = await sqliteStore(t);
    for (const status of VOLUME_STATUSES) {
      const { id } = await recorded(store, { status });
      t.is(await isRefused(store, transition(name, { id })), !allowed(name).includes(status), status);
      t.is((await row(store, id))?.status, allowed(name).includes(status) ? TRANSITIONS[name].to : status);
    }
  });
}
