import { randomUUID } from 'node:crypto';
import test from 'ava';
import { sql } from 'kysely';
import { deleteVolume, type DeleteVolumeParts } from '#src/api/handlers/delete-volume.js';
import type { NewSettlement } from '#src/db/quota-settlements.js';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch, type Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { findVolume } from '#src/db/volumes.js';
import { claimWorker, fenceWorker } from '#src/db/worker-claims.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { insertStagedWorker } from '#src/db/workers.js';
import { Fault } from '#src/errors/fault.js';
import { DeleteVolumeRequest } from '#src/gen/cinder/api/v3/volumes.js';
import { VOLUME_STATUSES, type VolumeStatus } from '#src/objects/volume-status.js';
import { eventsOf, CONTEXT, rowOf } from '../casts/rows.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

storesFor('a deletion marks the volume and hands the work to its backend in one transaction', async (t, store) => {
  const { ask, sent } = deletions(store);
  const id = await placed(store);
  await ask({ volumeId: id });
  t.is((await findVolume(store, { id }))?.status, 'deleting');
  t.like(await rowOf(store, id), { state: 'ready', binary: 'cinder-volume', target: 'h1@b', status: 'deleting' });
  t.like(sent[0], { resourceId: id, target: 'h1@b', epoch: (await rowOf(store, id))?.epoch });
  t.is((await eventsOf(store, id)).at(-1), 'volume.delete.accepted');
});

storesFor('a volume that no backend has goes at once, and its quota is given back', async (t, store) => {
  const { ask, sent, released } = deletions(store);
  const { id } = await recorded(store, { projectId: CONTEXT.projectId });
  await ask({ volumeId: id });
  t.is(await findVolume(store, { id }), undefined);
  t.deepEqual(sent, []);
  t.like(released, [{ resourceId: id, projectId: CONTEXT.projectId }]);
});

test('a release that cannot be applied is left to recovery: the volume is deleted all the same', async (t) => {
  const store = await sqliteStore(t);
  const away = new Fault('QuotaUnavailable', { reason: 'away' });
  const { ask, left } = deletions(store, { releaseQuota: () => Promise.reject(away) });
  const { id } = await recorded(store, { projectId: CONTEXT.projectId });
  await ask({ volumeId: id });
  await eventually('it is told', () => left.length === 1);
  t.is(left[0], away);
});

for (const isPlaced of [true, false]) {
  const what = isPlaced ? 'on a backend' : 'that no backend has';
  storesFor(`the same deletion of a volume ${what}, sent several times at once, is done once`, async (t, store) => {
    const { ask, sent, released } = deletions(store);
    const id = isPlaced ? await placed(store) : (await recorded(store, { projectId: CONTEXT.projectId })).id;
    const request = { volumeId: id, idempotencyKey: 'once' };
    await t.notThrowsAsync(Promise.all([1, 2, 3, 4].map(() => ask(request))));
    await ask(request);
    t.is(sent.length + released.length, 1);
    await t.throwsAsync(ask({ ...request, cascade: true }), { name: 'IdempotencyKeyReused' });
  });
}

test('without a key the second deletion is refused, in words', async (t) => {
  const store = await sqliteStore(t);
  const { ask } = deletions(store);
  const id = await placed(store);
  await ask({ volumeId: id });
  await t.throwsAsync(ask({ volumeId: id }), { name: 'InvalidVolume', message: /Its status is deleting\.$/ });
});

storesFor('of two deletions at once without a key the second is told what the first has done', async (t, store) => {
  const { ask } = deletions(store);
  const id = await placed(store);
  const ends = await Promise.allSettled([ask({ volumeId: id }), ask({ volumeId: id })]);
  const [refused] = ends.filter((end) => end.status === 'rejected');
  t.regex(String(refused?.reason), /Its status is deleting\.$/);
});

test('only an administrator may force a deletion', async (t) => {
  const store = await sqliteStore(t);
  const { ask } = deletions(store);
  const id = await placed(store);
  await t.throwsAsync(ask({ volumeId: id, force: true }), { name: 'PolicyNotAuthorized' });
  t.is((await findVolume(store, { id }))?.status, 'available');
  await ask({ volumeId: id, force: true }, ['admin']);
  t.is((await findVolume(store, { id }))?.status, 'deleting');
});

test('a volume whose managing has failed says so while it is deleted, and its row of work with it', async (t) => {
  const store = await sqliteStore(t);
  const { ask, sent } = deletions(store);
  const id = await placed(store, 'error_managing');
  await ask({ volumeId: id });
  t.is((await findVolume(store, { id }))?.status, 'error_managing_deleting');
  t.like(sent[0], { status: 'error_managing_deleting' });
  for (const end of ['failDelete', 'beginForceDelete', 'finishDelete'] as const) {
    await t.notThrowsAsync(store.apply([transition(end, { id })]), end);
  }
});

for (const status of VOLUME_STATUSES.filter((one) => one !== 'deleted')) {
  test(`by force a volume in ${status} is deleted, and work that is under way is replaced`, async (t) => {
    const store = await sqliteStore(t);
    const { ask, sent } = deletions(store);
    const id = await placed(store, status);
    await ask({ volumeId: id, force: true }, ['admin']);
    const first = await rowOf(store, id);
    t.like(first, { state: 'ready', target: 'h1@b', status: 'deleting' });
    const { resourceType, resourceId, epoch } = sent[0] as ReadyWorker;
    const claim = {
      resourceType,
      resourceId,
      epoch,
      owner: 'busy',
      binary: 'cinder-volume',
      target: 'h1@b',
      serviceId: null,
    };
    await store.apply([{ ...claimWorker(claim), rows: 1 }]);

    await ask({ volumeId: id, force: true }, ['admin']);
    t.like(await rowOf(store, id), { state: 'ready', owner: null, claims: 0, epoch: epoch + 2 });
    const old = fenceWorker({ resourceType, resourceId, epoch: epoch + 1, owner: 'busy' });
    await t.throwsAsync(store.apply([old]), { instanceOf: RowCountMismatch }, 'the former owner is fenced');
  });
}

storesFor('what is attached, migrates, is in a group or is copied is not deleted by force either', async (t, store) => {
  const { ask } = deletions(store);
  const force = (volumeId: string) => ask({ volumeId, force: true }, ['admin']);
  for (const [column, value] of [
    ['attach_status', 'attached'],
    ['migration_status', 'migrating'],
    ['group_id', 'g1'],
  ] as const) {
    const id = await placed(store, 'in-use');
    await store.apply([{ statement: SET[column].with({ id, value }), rows: 1 }]);
    await t.throwsAsync(force(id), { name: 'InvalidVolume', message: /must not be attached, be migrating/ }, column);
  }
  const source = await placed(store);
  await recorded(store, { sourceVolumeId: source });
  await t.throwsAsync(force(source), { name: 'InvalidVolume' });
});

storesFor(
  'a volume that is placed between the look and the deletion is deleted where it was placed',
  async (t, store) => {
    const { id } = await recorded(store, { projectId: CONTEXT.projectId });
    const { ask, sent, released } = deletions({
      ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
      async apply(unit) {
        // a scheduler is faster
        await store.apply([placeVolume({ id, host: 'h1@b#p', clusterName: null, availabilityZone: 'nova' })]);
        return store.apply(unit);
      },
    });
    await ask({ volumeId: id, force: true }, ['admin']);
    t.is((await findVolume(store, { id }))?.status, 'deleting');
    t.like(sent, [{ resourceId: id, target: 'h1@b' }]);
    t.deepEqual(released, []);
  },
);

test('a volume whose creation is being decided is refused, in words', async (t) => {
  const store = await sqliteStore(t);
  const { ask } = deletions(store);
  const { id } = await recorded(store, { projectId: CONTEXT.projectId });
  const message = {
    binary: 'cinder-scheduler',
    method: 'CreateVolume',
    payload: Buffer.alloc(0),
    payloadVersion: '3.0',
  } as const;
  const row = {
    resourceType: 'Volume',
    resourceId: id,
    status: 'creating',
    target: null,
    message,
    context: CONTEXT,
  } as const;
  await store.apply([insertStagedWorker(row, 'api')]);
  const refusal = { name: 'InvalidVolume', message: /is just being accepted\. Try again\.$/ };
  await t.throwsAsync(ask({ volumeId: id, force: true }, ['admin']), refusal);
});

test('another project’s volume, and one that never was, are not found', async (t) => {
  const store = await sqliteStore(t);
  const { ask } = deletions(store);
  const { id } = await recorded(store, { projectId: 'another' });
  for (const volumeId of [id, randomUUID()]) await t.throwsAsync(ask({ volumeId }), { name: 'VolumeNotFound' });
  await t.throwsAsync(ask({ volumeId: 'x' }), { name: 'InvalidInput' });
});

/** The handler, and what became of its work. */
function deletions(store: Store, parts: Partial<DeleteVolumeParts> = {}) {
  const sent: ReadyWorker[] = [];
  const released: NewSettlement[] = [];
  const left: unknown[] = [];
  const handler = deleteVolume({
    store,
    send: (cast) => sent.push(cast),
    releaseGraceMs: 60_000,
    releaseQuota: async (release) => void released.push(release),
    onReleaseLeft: (_release, error) => left.push(error),
    ...parts,
  });
  const ask = (request: Partial<DeleteVolumeRequest>, roles = CONTEXT.roles) => {
    const call = {
      context: { ...CONTEXT, roles },
      deadline: Date.now() + 10_000,
      signal: new AbortController().signal,
    };
    return handler(DeleteVolumeRequest.create(request), call);
  };
  return { ask, sent, released, left };
}

/** A volume on a backend. */
async function placed(store: Store, status: VolumeStatus = 'available'): Promise<string> {
  const { id } = await recorded(store, { projectId: CONTEXT.projectId });
  await store.apply([
    placeVolume({ id, host: 'h1@b#p', clusterName: null, availabilityZone: 'nova' }),
    { statement: SET.status.with({ id, value: status }), rows: 1 },
  ]);
  return id;
}

const column = (name: 'status' | 'attach_status' | 'migration_status' | 'group_id') =>
  statement<{ id: string; value: string }>()(({ db }, p) =>
    db
      .updateTable('volumes')
      .set(sql.ref(name), sql`${p.value}`)
      .where('id', '=', p.id),
  );

/** Writes what no transition would. */
const SET = {
  status: column('status'),
  attach_status: column('attach_status'),
  migration_status: column('migration_status'),
  group_id: column('group_id'),
};
