import { randomUUID } from 'node:crypto';
import test from 'ava';
import { type DoneReset, resetVolumeStatus } from '#src/api/handlers/reset-volume-status.js';
import { RowCountMismatch, type Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { findVolume } from '#src/db/volumes.js';
import { claimWorker, fenceWorker } from '#src/db/worker-claims.js';
import type { NewWorker } from '#src/db/worker-row.js';
import { insertStagedWorker } from '#src/db/workers.js';
import { ResetVolumeStatusRequest, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { SETTLED, VOLUME_STATUSES } from '#src/objects/volume-status.js';
import { CONTEXT, eventsOf, readyRow, rowOf } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

storesFor('a volume that is stuck is freed: work is disowned, and who did it and why is written', async (t, store) => {
  const { ask, told } = resets(store);
  const { resourceType, resourceId: volumeId, epoch, target } = await readyRow(store, { work: 'create' });
  const key = { resourceType, resourceId: volumeId };
  const claim = { ...key, epoch, owner: 'busy', binary: 'cinder-volume', target, serviceId: null };
  await store.apply([{ ...claimWorker(claim), rows: 1 }]);
  const { volume } = await ask({ volumeId, status: VolumeStatus.ERROR, reason: 'its backend burned down' });
  t.like(volume, { status: VolumeStatus.ERROR, revision: 3 });
  t.is(volume?.statusReason, 'Reset by user u1 (the status was creating): its backend burned down');
  t.is(await rowOf(store, volumeId), undefined);
  const fence = fenceWorker({ ...key, epoch: epoch + 1, owner: 'busy' });
  await t.throwsAsync(store.apply([fence]), { instanceOf: RowCountMismatch });
  t.is((await eventsOf(store, volumeId)).at(-1), 'volume.reset_status.end');
  t.like(told, [{ volumeId, from: 'creating', to: 'error', userId: 'u1', reason: 'its backend burned down' }]);
});

storesFor('each of the three is set alone, and the others stay', async (t, store) => {
  const { ask } = resets(store);
  const volumeId = await placed(store);
  await ask({ volumeId, attachStatus: 'attached' });
  await ask({ volumeId, status: VolumeStatus.IN_USE });
  t.like(await findVolume(store, { id: volumeId }), { status: 'in-use', attachStatus: 'attached' });
  await ask({ volumeId, migrationStatus: 'migrating' });
  t.like(await findVolume(store, { id: volumeId }), { status: 'in-use', migrationStatus: 'migrating' });
  await ask({ volumeId, migrationStatus: 'none' });
  t.like(await findVolume(store, { id: volumeId }), { status: 'in-use', migrationStatus: null });
});

storesFor('what is set beside the status leaves work its row, and its right to write', async (t, store) => {
  const { ask } = resets(store);
  const { resourceType, resourceId: volumeId, epoch, target } = await readyRow(store, { work: 'create' });
  const key = { resourceType, resourceId: volumeId };
  const claim = { ...key, epoch, owner: 'busy', binary: 'cinder-volume', target, serviceId: null };
  await store.apply([{ ...claimWorker(claim), rows: 1 }]);
  await ask({ volumeId, migrationStatus: 'none' });
  t.like(await rowOf(store, volumeId), { state: 'claimed', owner: 'busy' });
  await t.notThrowsAsync(store.apply([fenceWorker({ ...key, epoch: epoch + 1, owner: 'busy' })]));
  t.deepEqual((await eventsOf(store, volumeId)).slice(-2), ['volume.reset_status.start', 'volume.reset_status.end']);
});

test('every settled status can be set, and no other', async (t) => {
  const store = await sqliteStore(t);
  const { ask } = resets(store);
  const volumeId = await placed(store);
  await ask({ volumeId, attachStatus: 'attached' });
  for (const word of VOLUME_STATUSES) {
    const status = VolumeStatus[word.replaceAll('-', '_').toUpperCase() as keyof typeof VolumeStatus];
    if (SETTLED.includes(word)) {
      await ask({ volumeId, status });
      t.is((await findVolume(store, { id: volumeId }))?.status, word);
    } else {
      await t.throwsAsync(ask({ volumeId, status }), { name: 'InvalidInput' }, word);
    }
  }
});

storesFor('what the records contradict is refused in words, and nothing is changed', async (t, store) => {
  const { ask, told } = resets(store);
  const { id: unplaced } = await recorded(store);
  const detached = await placed(store);
  const staged = await beingAccepted(store);
  for (const [volumeId, status, message] of [
    [unplaced, VolumeStatus.AVAILABLE, /cannot be available: no backend has it\./],
    [unplaced, VolumeStatus.IN_USE, /cannot be in-use: no backend has it\./],
    [detached, VolumeStatus.IN_USE, /cannot be in-use: it is not attached\./],
    [staged, VolumeStatus.ERROR, /cannot be error: it is just being accepted/],
  ] as const) {
    const before = await findVolume(store, { id: volumeId });
    await t.throwsAsync(ask({ volumeId, status }), { name: 'InvalidVolume', message });
    t.deepEqual(await findVolume(store, { id: volumeId }), before);
  }
  t.truthy(await rowOf(store, staged));
  t.deepEqual(told, []);
});

test('every bad field is named in one answer', async (t) => {
  const { ask } = resets(await sqliteStore(t));
  const fields = async (request: Partial<ResetVolumeStatusRequest>) => {
    const error = await t.throwsAsync<Error & { facts: { violations: readonly { field: string }[] } }>(ask(request));
    return error.facts.violations.map(({ field }) => field).sort();
  };
  const bad = { volumeId: 'x', status: VolumeStatus.CREATING, attachStatus: 'half', migrationStatus: '', reason: '' };
  const named = ['attach_status', 'idempotency_key', 'migration_status', 'reason', 'status', 'volume_id'];
  t.deepEqual(await fields({ ...bad, idempotencyKey: '' }), named);
  t.deepEqual(await fields({ volumeId: randomUUID() }), ['status']);
  t.deepEqual(await fields({ volumeId: randomUUID(), status: VolumeStatus.ERROR, reason: 'x'.repeat(256) }), [
    'reason',
  ]);
  t.deepEqual(await fields({ volumeId: randomUUID(), status: VolumeStatus.ERROR, reason: ' \u3000 ' }), ['reason']);
  await t.throwsAsync(ask({ volumeId: randomUUID(), status: VolumeStatus.ERROR }), { name: 'VolumeNotFound' });
});

storesFor('a reset with a key has one effect, sent at once or again', async (t, store) => {
  const { ask, told } = resets(store);
  const volumeId = await placed(store);
  const request = { volumeId, status: VolumeStatus.ERROR, idempotencyKey: 'once' };
  await Promise.all([1, 2, 3].map(() => ask(request)));
  const { volume } = await ask(request);
  t.is(volume?.revision, 4);
  t.is(told.length, 1);
  await t.throwsAsync(ask({ ...request, reason: 'another' }), { name: 'IdempotencyKeyReused' });
});

/** The handler, called by an administrator, and what the operator is told. */
function resets(store: Store) {
  const told: DoneReset[] = [];
  const handler = resetVolumeStatus({ store, onReset: (reset) => told.push(reset) });
  const ask = (request: Partial<ResetVolumeStatusRequest>) =>
    handler(ResetVolumeStatusRequest.create({ reason: 'a test', ...request }), {
      context: { ...CONTEXT, roles: ['admin'] },
      deadline: Date.now() + 10_000,
      signal: new AbortController().signal,
    });
  return { ask, told };
}

/** An available volume on a backend. */
async function placed(store: Store): Promise<string> {
  const { id } = await recorded(store);
  await store.apply([
    placeVolume({ id, host: 'h1@b#p', clusterName: null, availabilityZone: 'nova' }),
    transition('finishCreate', { id }),
  ]);
  return id;
}

/** A volume whose quota is not decided yet. */
async function beingAccepted(store: Store): Promise<string> {
  const { id } = await recorded(store);
  const row: NewWorker = {
    ...{ resourceType: 'Volume', resourceId: id, status: 'creating', target: null, context: CONTEXT },
    message: {
      ...{ binary: 'cinder-scheduler', method: 'CreateVolume', payload: Buffer.alloc(0), payloadVersion: '3.0' },
    },
  };
  await store.apply([insertStagedWorker(row, 'api')]);
  return id;
}
