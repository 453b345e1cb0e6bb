import type { ExecutionContext } from 'ava';
import { CastSender } from '#src/casts/sender.js';
import { findWorkerState, takeForSending } from '#src/db/worker-search.js';
import { deleteAnyWorker } from '#src/db/workers.js';
import { resetVolume } from '#src/db/volume-reset.js';
import type { Store } from '#src/db/store.js';
import { claimWorker } from '#src/db/worker-claims.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { parkForsaken } from '#src/scheduler/forsaken-deletions.js';
import type { Rounds } from '#src/time/rounds.js';
import { resumeParked } from '#src/volume/parked-deletions.js';
import { diagnosed } from '../doctor/diagnosed.js';
import { eventually, SILENT } from '../support/redis.js';
import { storesFor } from '../support/sql.js';
import { receiverFor } from './receiver-for.js';
import { aged, alive, BACKEND, deletionOf, everything, incoming, readyRow, registered, rowOf, silent } from './rows.js';

const DOWN_MS = 60_000;
const GIVE_UP_MS = 3_600_000;
const DELETE = { work: 'delete' } as const;

for (const state of ['waits for', 'was claimed by'] as const) {
  storesFor(
    `a deletion that ${state} a backend that is away for too long is parked, and its owner told`,
    async (t, store) => {
      const row = await readyRow(store, DELETE);
      await backend(store, 'dead run', 'away');
      if (state === 'was claimed by') await claimed(store, row);
      await aged(store, row.resourceId, GIVE_UP_MS + 1_000);

      parking(t, store);

      await eventually('it is parked', async () => (await stateOf(store, row)) === 'parked');
      const { volume, row: after, events, messages } = await everything(store, row.resourceId);
      t.like(volume, { status: 'error_deleting', host: `${BACKEND}#pool` });
      t.is(volume?.statusReason, 'The deletion goes on by itself when it is back.');
      t.deepEqual(messages, [
        '100 101 delete volume: The storage of the volume is away. The deletion goes on by itself when it is back.',
      ]);
      t.deepEqual(events, ['volume.delete.error']);
      t.like(after, {
        status: 'error_deleting',
        owner: null,
        service_id: null,
        target: BACKEND,
        method: 'DeleteVolume',
      });
      t.true((after?.epoch ?? 0) > row.epoch);
    },
  );
}

/** What is not to be parked. */
const WAITS: Record<
  string,
  { readonly work?: 'create'; readonly ageMs?: number; readonly backend?: 'back' | 'unknown' }
> = {
  'a deletion that has not waited for long': { ageMs: GIVE_UP_MS - 60_000 },
  'a deletion whose backend lives': { backend: 'back' },
  'a deletion whose backend nobody knows': { backend: 'unknown' },
  'a creation': { work: 'create' },
};

for (const [what, { work = 'delete', ageMs = GIVE_UP_MS + 1_000, backend: how = 'away' }] of Object.entries(WAITS)) {
  storesFor(`${what} is not parked`, async (t, store) => {
    const row = await readyRow(store, { work });
    if (how !== 'unknown') await backend(store, 'run', how);
    await aged(store, row.resourceId, ageMs);
    const parked = await readyRow(store, { ...DELETE, target: 'omega@file' });
    await backend(store, 'dead run', 'away', 'omega@file');
    await aged(store, parked.resourceId, GIVE_UP_MS + 1_000);
    const before = await everything(store, row.resourceId);

    parking(t, store);

    // another one that is parked shows that a round has passed
    await eventually('the other is parked', async () => (await stateOf(store, parked)) === 'parked');
    t.deepEqual(await everything(store, row.resourceId), before);
  });
}

storesFor(
  'parked work is nobody’s: it is not sent, not claimed and not taken over, and nothing is wrong',
  async (t, store) => {
    const row = await parkedRow(t, store);
    const before = await everything(store, row.resourceId);
    const { receiver } = receiverFor(t, store);

    t.deepEqual(await takeForSending(store, 64), []);
    t.deepEqual((await receiver.deliver([incoming(row, { method: 'CreateVolume' })]))[0]?.outcome, 'superseded');
    t.is(await receiver.takeOver(), 0);
    t.deepEqual(await everything(store, row.resourceId), before);
    t.deepEqual((await diagnosed(store)).findings, []);
  },
);

storesFor('a parked deletion goes on as a new one when its own backend is back', async (t, store) => {
  const row = await parkedRow(t, store);
  const { epoch = 0 } = (await rowOf(store, row.resourceId)) ?? {};
  const other = await readyRow(store, { ...DELETE, target: 'omega@file' });
  const { resourceId } = row;

  resuming(t, store, ['omega@file']).start();
  const sent: ReadyWorker[] = [];
  sending(t, store, sent);
  await eventually('what waits for another backend is sent', () =>
    sent.some((cast) => cast.resourceId === other.resourceId),
  );
  t.is(await stateOf(store, row), 'parked');

  resuming(t, store, [BACKEND]).start();
  await eventually('it is sent', () => sent.some((cast) => cast.resourceId === resourceId));
  const { volume, events } = await everything(store, resourceId);
  t.like(volume, { status: 'deleting', statusReason: null });
  t.deepEqual(events, ['volume.delete.error', 'volume.delete.resumed']);
  const cast = sent.find((each) => each.resourceId === resourceId);
  t.like(cast, { target: BACKEND, epoch: epoch + 1, sends: 1, status: 'deleting' });
  t.true((cast?.ageMs ?? Infinity) < GIVE_UP_MS, 'it is as young as one that was just asked for');
});

storesFor('a forced deletion wins over the parked one', async (t, store) => {
  const row = await parkedRow(t, store);
  const parked = await rowOf(store, row.resourceId);
  const forced = await deletionOf(store, row);
  t.true(forced.epoch > (parked?.epoch ?? Infinity));
  const before = await everything(store, row.resourceId);
  const witness = await parkedRow(t, store);

  resuming(t, store, [BACKEND]).start();

  await eventually('another one is resumed', async () => (await stateOf(store, witness)) === 'ready');
  t.deepEqual(await everything(store, row.resourceId), before);
  t.is(before.row?.epoch, forced.epoch);
});

storesFor('a volume that was reset by hand is not deleted when its backend is back', async (t, store) => {
  const row = await parkedRow(t, store);
  const { resourceId } = row;
  const reset = resetVolume({ id: resourceId, status: 'available', by: 'user u', reason: 'it is needed' });
  await store.apply([reset]); // and not its row, which ResetVolumeStatus removes: the worse case
  t.like((await diagnosed(store)).findings, { 0: { kind: 'work_of_other_status', resource: resourceId }, length: 1 });

  resuming(t, store, [BACKEND]).start();

  await eventually('the row is gone', async () => (await rowOf(store, resourceId)) === undefined);
  t.like(await everything(store, resourceId), { volume: { status: 'available' }, events: ['volume.delete.error'] });
  await store.apply([deleteAnyWorker({ resourceType: 'Volume', resourceId })]);
});

storesFor('of two who resume the same deletion one does', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 10 }, () => parkedRow(t, store)));
  for (const one of [resuming(t, store, [BACKEND]), resuming(t, store, [BACKEND])]) one.start();
  await eventually('all are resumed', async () => {
    const states = await Promise.all(rows.map((row) => stateOf(store, row)));
    return states.every((state) => state === 'ready');
  });
  for (const { resourceId } of rows) {
    t.deepEqual((await everything(store, resourceId)).events, ['volume.delete.error', 'volume.delete.resumed']);
  }
});

/** A deletion that was parked, as its sender knows it. */
async function parkedRow(t: ExecutionContext, store: Store): Promise<ReadyWorker> {
  const row = await readyRow(store, DELETE);
  await backend(store, 'dead run', 'away');
  await aged(store, row.resourceId, GIVE_UP_MS + 1_000);
  const rounds = parking(t, store);
  await eventually('it is parked', async () => (await stateOf(store, row)) === 'parked');
  await rounds.stop();
  return row;
}

function parking(t: ExecutionContext, store: Store): Rounds {
  const rounds = parkForsaken({
    ...{ store, downAfterMs: DOWN_MS, giveUpAfterMs: GIVE_UP_MS, owner: 'scheduler', messageTtlMs: 60_000 },
    ...{ log: SILENT, intervalMs: 5 },
  });
  rounds.start();
  t.teardown(() => rounds.stop());
  return rounds;
}

function resuming(t: ExecutionContext, store: Store, backends: readonly string[]): Rounds {
  const rounds = resumeParked({ store, backends: () => backends, log: SILENT, intervalMs: 5 });
  t.teardown(() => rounds.stop());
  return rounds;
}

/** Sends what is to be sent to nobody, and notes it. */
function sending(t: ExecutionContext, store: Store, sent: ReadyWorker[]): void {
  const sender = new CastSender({
    ...{ store, messageTtlMs: 60_000, sweepIntervalMs: 5 },
    transport: {
      deliver: async (casts) => {
        sent.push(...casts);
        return casts.map(() => ({ outcome: 'busy', reason: '', message: '' }));
      },
    },
  });
  sender.start();
  t.teardown(() => sender.stop());
}

/** Registers a backend that lives, or that was not heard of for too long. */
async function backend(store: Store, run: string, how: 'back' | 'away', host = BACKEND): Promise<void> {
  await alive(store, run);
  await registered(store, host, run);
  if (how === 'away') await silent(store, run, DOWN_MS + 1_000);
}

const stateOf = (store: Store, row: ReadyWorker) => findWorkerState(store, row);

async function claimed(store: Store, { resourceType, resourceId, epoch, target, message }: ReadyWorker): Promise<void> {
  const { binary } = message;
  const hold = { resourceType, resourceId, epoch, owner: 'dead run', binary, target, serviceId: null };
  await store.apply([{ ...claimWorker(hold), rows: 1 }]);
}
