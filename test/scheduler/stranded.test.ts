import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { readCreateVolumeOnScheduler } from '#src/casts/cast-messages.js';
import type { Store } from '#src/db/store.js';
import { claimWorker } from '#src/db/worker-claims.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import type { Retry } from '#src/objects/request-spec.js';
import { takeBackStranded } from '#src/scheduler/stranded.js';
import { aged, BACKEND, everything, readyRow, registered, rowOf, silent } from '../casts/rows.js';
import { breakRow } from '../support/broken-rows.js';
import { eventually, SILENT } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

const DOWN_MS = 60_000;
const RETRY: Retry = { numAttempts: 1, backends: [`${BACKEND}#pool`], exc: [] };
const CREATE = { work: 'create', filterProperties: { schedulerHints: new Map(), retry: RETRY } } as const;

/** A copy can be made where its source is, and nowhere else. */
const COPY = { ...CREATE, sourceVolumeId: randomUUID(), resourceBackend: `${BACKEND}#pool` };
const PATIENCE_MS = 3_600_000;

for (const state of ['sent', 'claimed'] as const) {
  storesFor(
    `a creation that was ${state} to a backend that is down is placed anew while another lives`,
    async (t, store) => {
      const row = await readyRow(store, CREATE);
      if (state === 'claimed') await claimed(store, row);
      await backends(store, { dead: [BACKEND], living: ['beta@file'] });
      const { sent } = rounds(t, store);

      await eventually('it is sent to a scheduler', () => sent.length === 1);

      const { volume, row: after, events } = await everything(store, row.resourceId);
      t.like(volume, { status: 'creating', host: null });
      const epoch = state === 'claimed' ? 4 : 3;
      t.like(after, { state: 'ready', binary: 'cinder-scheduler', target: null, owner: null, epoch, claims: 0 });
      t.like(sent[0], { resourceId: row.resourceId, epoch, target: null });
      t.deepEqual(events, ['volume.create.reschedule']);
      const { volume: inMessage, filterProperties } = readCreateVolumeOnScheduler(Buffer.from(after?.payload ?? []));
      t.is(inMessage.host, null);
      t.deepEqual(filterProperties.retry, { ...RETRY, exc: [`${BACKEND} is down`] }, 'the attempt counts');
    },
  );
}

/** What is not to be moved. */
const STAYS: Record<
  string,
  { readonly row: Parameters<typeof readyRow>[1]; readonly dead: string[]; readonly living: string[] }
> = {
  'a creation whose backend is the only one': { row: CREATE, dead: [BACKEND], living: [] },
  'a creation whose backend lives': { row: CREATE, dead: ['beta@file'], living: [BACKEND, 'gamma@file'] },
  'a creation whose backend nobody knows': { row: CREATE, dead: [], living: ['beta@file'] },
  'a copy, whose source is on the backend,': { row: COPY, dead: [BACKEND], living: ['beta@file'] },
  'a deletion': { row: { work: 'delete' }, dead: [BACKEND], living: ['beta@file'] },
  'a creation at a scheduler': { row: {}, dead: [BACKEND], living: ['beta@file'] },
};

for (const [what, { row: options, dead, living }] of Object.entries(STAYS)) {
  storesFor(`${what} waits where it is`, async (t, store) => {
    const moves = await readyRow(store, { ...CREATE, target: 'omega@file' });
    await backends(store, { dead: [...dead, 'omega@file'], living });
    const row = await readyRow(store, options);
    const before = await everything(store, row.resourceId);
    const { sent, rounded } = rounds(t, store);
    // a row that does move shows that a round has passed; with nobody alive there is none, and rounds are counted
    if (living.length > 0) await eventually('a round has passed', () => sent.length === 1);
    else await rounded(3);
    t.deepEqual(await everything(store, row.resourceId), before);
    t.deepEqual(
      sent.map(({ resourceId }) => resourceId),
      living.length > 0 ? [moves.resourceId] : [],
    );
  });
}

test('work that cannot be read ends in error, and does not keep the others', async (t) => {
  const store = await sqliteStore(t);
  const broken = await readyRow(store, { ...CREATE, payload: Buffer.from([0xff, 0xff]) });
  const whole = await readyRow(store, CREATE);
  await backends(store, { dead: [BACKEND], living: ['beta@file'] });
  const { sent } = rounds(t, store);
  await eventually('the other is sent', () => sent.length === 1);
  t.is(sent[0]?.resourceId, whole.resourceId);
  await eventually('it has ended', async () => (await rowOf(store, broken.resourceId)) === undefined);
  const { volume, messages, events } = await everything(store, broken.resourceId);
  t.is(volume?.status, 'error');
  t.false(volume?.statusReason?.includes('alpha'));
  t.is(messages.length, 1);
  t.deepEqual(events, ['volume.create.error']);
});

storesFor('a copy whose source has been out of reach for an hour ends in error', async (t, store) => {
  const row = await readyRow(store, COPY);
  await aged(store, row.resourceId, PATIENCE_MS + 1_000);
  await backends(store, { dead: [BACKEND], living: ['beta@file'] });
  const { sent } = rounds(t, store);
  await eventually('it has ended', async () => (await rowOf(store, row.resourceId)) === undefined);
  const { volume, messages } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.is(volume?.statusReason, 'The storage of its source has been down for too long.');
  t.is(messages.length, 1);
  t.deepEqual(sent, []);
});

/** Why a creation may be placed only once. */
const ONLY_ONCE = {
  'scheduler_max_attempts is 1': { row: CREATE, maxAttempts: 1 },
  'no account of its attempts is kept': { row: { work: 'create' }, maxAttempts: 3 },
} as const;

for (const [why, { row: options, maxAttempts }] of Object.entries(ONLY_ONCE)) {
  storesFor(`a stranded creation ends in error when ${why}`, async (t, store) => {
    const row = await readyRow(store, options);
    await backends(store, { dead: [BACKEND], living: ['beta@file'] });
    const { sent } = rounds(t, store, 'scheduler', maxAttempts);
    await eventually('it has ended', async () => (await rowOf(store, row.resourceId)) === undefined);
    const { volume, messages, events } = await everything(store, row.resourceId);
    t.like(volume, { status: 'error', host: `${BACKEND}#pool` });
    t.regex(messages.join(), /^001 003 .*may not be placed anew\.$/);
    t.deepEqual(events, ['volume.create.error']);
    t.deepEqual(sent, []);
  });
}

storesFor('creations in words of a newer version stay where they are, and hide no other', async (t, store) => {
  const newer = await Promise.all(Array.from({ length: 130 }, () => readyRow(store, CREATE)));
  for (const { resourceId } of newer) await breakRow(store, 'workers', resourceId, { payload_version: '3.21' });
  const known = await Promise.all(Array.from({ length: 2 }, () => readyRow(store, CREATE)));
  for (const { resourceId } of known) {
    await breakRow(store, 'workers', resourceId, { payload_version: '3.20', updated_at: Date.now() + 60_000 });
  }
  await backends(store, { dead: [BACKEND], living: ['beta@file'] });
  const { sent, rounded } = rounds(t, store, 'scheduler', 3, (version) => version !== '3.21');

  await eventually('the others are sent', () => sent.length === known.length);
  await rounded(8);

  t.deepEqual(sent.map(idOf).toSorted(), known.map(idOf).toSorted());
  for (const { resourceId } of newer) t.like(await rowOf(store, resourceId), { state: 'ready', epoch: 1 });
});

test('of two schedulers one takes a row back', async (t) => {
  const store = await sqliteStore(t);
  const rows = await Promise.all(Array.from({ length: 10 }, () => readyRow(store, CREATE)));
  await backends(store, { dead: [BACKEND], living: ['beta@file'] });
  const both = [rounds(t, store, 'one'), rounds(t, store, 'two')];
  const sent = () => both.flatMap((one) => one.sent);
  await eventually('all are sent', () => sent().length >= rows.length);
  t.is(sent().length, rows.length);
  for (const { resourceId } of rows) t.is((await everything(store, resourceId)).events.length, 1);
});

function idOf({ resourceId }: ReadyWorker): string {
  return resourceId;
}

/** Rounds of one scheduler, ended with the test. */
function rounds(
  t: ExecutionContext,
  store: Store,
  owner = 'scheduler',
  maxAttempts = 3,
  knows?: (payloadVersion: string) => boolean,
) {
  const sent: ReadyWorker[] = [];
  let reads = 0;
  const counting: Store = {
    ...{ dialect: store.dialect, apply: (unit) => store.apply(unit), close: () => store.close() },
    read: (bound) => ((reads += 1), store.read(bound)),
  };
  const loop = takeBackStranded({
    ...{ store: counting, downAfterMs: DOWN_MS, owner, messageTtlMs: 60_000, intervalMs: 5, log: SILENT },
    giveUpAfterMs: PATIENCE_MS,
    maxAttempts,
    ...(knows && { knows }),
    send: (cast) => sent.push(cast),
  });
  loop.start();
  t.teardown(() => loop.stop());
  return { sent, rounded: (count: number) => eventually('rounds have passed', () => reads > count) };
}

/** Registers backends, dead ones and living ones. */
async function backends(
  store: Store,
  { dead, living }: { readonly dead: readonly string[]; readonly living: readonly string[] },
) {
  for (const host of dead) await registered(store, host, 'dead run');
  for (const host of living) await registered(store, host, 'living run');
  await silent(store, 'dead run', DOWN_MS + 1_000);
}

async function claimed(store: Store, { resourceType, resourceId, epoch, target, message }: ReadyWorker): Promise<void> {
  const { binary } = message;
  const hold = { resourceType, resourceId, epoch, owner: 'dead run', binary, target, serviceId: null };
  await store.apply([{ ...claimWorker(hold), rows: 1 }]);
}
