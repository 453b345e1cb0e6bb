import { randomUUID } from 'node:crypto';
import { refuse } from '#src/casts/give-up.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { putReadyWorker } from '#src/db/workers.js';
import { record, snapshot } from '../support/quota-records.js';
import { storesFor } from '../support/sql.js';
import { CONTEXT, everything, messagesOf, readyRow, rowOf } from './rows.js';

const PARTS = { messageTtlMs: 60_000 };
const REASON = 'It is not built.';

/** What a volume was doing, and what it was before, by the method of a cast that nobody can do. */
const VOLUMES = {
  ExtendVolumeCompletion: { status: 'extending', before: 'in-use', event: 'volume.extend.error', action: '007' },
  RevertToSnapshot: { status: 'reverting', before: 'available', event: 'volume.revert.error', action: '104' },
  Reimage: { status: 'downloading', before: 'error', event: 'volume.reimage.error', action: '016' },
  CopyVolumeToImage: { status: 'uploading', before: 'in-use', event: 'volume.upload.error', action: '003' },
} as const;

for (const [method, { status, before, event, action }] of Object.entries(VOLUMES)) {
  storesFor(
    `a volume whose ${method} nobody has built is what it was before, and its owner is told`,
    async (t, store) => {
      const { resourceId } = await readyRow(store, { work: 'create' });
      const row = await workOn(store, 'Volume', resourceId, { method, status });
      await store.apply([{ statement: standing.with({ id: resourceId, status, before }), rows: 1 }]);
      await store.apply(refuse(PARTS, row, REASON));
      const after = await everything(store, resourceId);
      t.like(after.volume, { status: before, previousStatus: null });
      t.is(after.row, undefined);
      t.deepEqual(after.events.slice(-1), [event]);
      t.regex(after.messages[0] ?? '', new RegExp(`^${action} 001 .*It is not built\\.$`));
    },
  );
}

storesFor('a snapshot that its volume was to be put back to is available again', async (t, store) => {
  const { resourceId } = await readyRow(store, { work: 'create' });
  const one = await record(store, snapshot({ projectId: 'p1', volumeId: resourceId, status: 'restoring' }));
  const other = await record(store, snapshot({ projectId: 'p1', volumeId: randomUUID(), status: 'restoring' }));
  const row = await workOn(store, 'Volume', resourceId, { method: 'RevertToSnapshot', status: 'reverting' });
  await store.apply(refuse(PARTS, row, REASON));
  t.deepEqual([await statusOf(store, one), await statusOf(store, other)], ['available', 'restoring']);
});

/** Where a snapshot ends whose work nobody can do: by its status. */
const SNAPSHOTS = {
  creating: { method: 'CreateSnapshot', end: 'error', action: '009' },
  deleting: { method: 'DeleteSnapshot', end: 'error_deleting', action: '010' },
  unmanaging: { method: 'DeleteSnapshot', end: 'error_deleting', action: '010' },
} as const;

for (const [status, { method, end, action }] of Object.entries(SNAPSHOTS)) {
  storesFor(
    `a snapshot in ${status} that nobody can work on ends in ${end}, and its owner is told`,
    async (t, store) => {
      const id = await record(store, snapshot({ projectId: 'p1', volumeId: randomUUID(), status }));
      const row = await workOn(store, 'Snapshot', id, { method, status });
      await store.apply(refuse(PARTS, row, REASON));
      t.is(await statusOf(store, id), end);
      t.is(await rowOf(store, id), undefined);
      t.regex((await messagesOf(store, id))[0] ?? '', new RegExp(`^${action} 001 .*It is not built\\.$`));
    },
  );
}

storesFor('a snapshot that is in another status by now keeps it', async (t, store) => {
  const id = await record(store, snapshot({ projectId: 'p1', volumeId: randomUUID(), status: 'available' }));
  const row = await workOn(store, 'Snapshot', id, { method: 'CreateSnapshot', status: 'creating' });
  await store.apply(refuse(PARTS, row, REASON));
  t.is(await statusOf(store, id), 'available');
  t.is(await rowOf(store, id), undefined);
});

/** A row of work on its way to a volume service, in place of any other. */
async function workOn(
  store: Store,
  resourceType: 'Volume' | 'Snapshot',
  resourceId: string,
  { method, status }: { readonly method: string; readonly status: string },
): Promise<ReadyWorker> {
  const message = { binary: 'cinder-volume', method, payload: Buffer.alloc(0), payloadVersion: '3.0' } as const;
  const worker = { resourceType, resourceId, status, target: 'alpha@file', message, context: CONTEXT };
  const [done] = await store.apply([putReadyWorker(worker)]);
  return { ...worker, epoch: Number(done?.returned[0]?.['epoch']), sends: 1, ageMs: 0 };
}

async function statusOf(store: Store, id: string): Promise<string | undefined> {
  return (await store.read(snapshotOf.with({ id })))[0]?.status;
}

const standing = statement<{ id: string; status: string; before: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ status: p.status, previous_status: p.before }).where('id', '=', p.id),
);

const snapshotOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('snapshots').select('status').where('id', '=', p.id),
);
