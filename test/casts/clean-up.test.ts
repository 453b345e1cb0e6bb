import { randomUUID } from 'node:crypto';
import test from 'ava';
import { doCleanup } from '#src/casts/do-cleanup.js';
import { applyFenced, Fenced } from '#src/casts/claim.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { beginWorkAnew, databaseNow, findClaimedWork } from '#src/db/worker-cleanup.js';
import { takeForSending } from '#src/db/worker-search.js';
import { claimWorker } from '#src/db/worker-claims.js';
import type { NewWorker, ReadyWorker } from '#src/db/worker-row.js';
import { insertStagedWorker } from '#src/db/workers.js';
import { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import { BACKEND, CONTEXT, incoming, note, readyRow, rowOf } from './rows.js';

const CREATE = { work: 'create' } as const;
const MINE = { binary: 'cinder-volume', serviceId: 'service-1' } as const;

storesFor('work that hangs is begun anew by a clean-up, and the attempt that hung is cut off', async (t, store) => {
  let attempts = 0;
  const handler = working(store, (_claim, signal) => {
    attempts += 1;
    return attempts === 1 ? new Promise((resolve) => signal.addEventListener('abort', resolve)) : undefined;
  });
  const { receiver, next } = receiverFor(t, store, { handlers: new Map([['CreateVolume', handler]]) });
  const row = await readyRow(store, CREATE);
  await receiver.deliver([incoming(row)]);

  const told: number[] = [];
  const request = CleanupRequest.create({ serviceId: 'service-1' });
  await doCleanup({ store, onCleanup: (_request, count) => told.push(count) }, 'cinder-volume', request);
  t.deepEqual(told, [1]);
  const [again] = await takeForSending(store, 10);
  t.like(again, { resourceId: row.resourceId, epoch: row.epoch + 2 });
  await receiver.deliver([incoming(again as ReadyWorker)]);

  const ends = [await next(), await next()];
  t.deepEqual(ends.map(({ ended }) => ended).sort(), ['done', 'fenced']);
  t.like(ends.find(({ ended }) => ended === 'done')?.claim, { claims: 1, epoch: row.epoch + 3 });
});

storesFor(
  'only claimed work that fits is given back; its owner is fenced, and its claims are forgotten',
  async (t, store) => {
    const [mine, others, waiting] = [
      await readyRow(store, CREATE),
      await readyRow(store, CREATE),
      await readyRow(store, CREATE),
    ];
    const held = { ...mine, ...(await claimed(store, mine, 'service-1')) };
    await claimed(store, others, 'service-2');
    const staged = await stagedRow(store);

    t.is(await beginWorkAnew(store, { ...MINE, binary: 'cinder-scheduler' }), 0);
    t.is(await beginWorkAnew(store, { ...MINE, resourceType: 'Snapshot' }), 0);
    t.is(await beginWorkAnew(store, { ...MINE, resourceId: others.resourceId }), 0);
    t.is(await beginWorkAnew(store, MINE), 1);
    t.like(await rowOf(store, mine.resourceId), { state: 'ready', owner: null, claims: 0, epoch: mine.epoch + 2 });
    t.like(await rowOf(store, others.resourceId), { state: 'claimed', epoch: others.epoch + 1 });
    t.like(await rowOf(store, waiting.resourceId), { state: 'ready', epoch: waiting.epoch });
    t.like(await rowOf(store, staged), { state: 'staged' });
    const late = { ...held, method: 'CreateVolume', claims: 1, ageMs: 0, resumed: false };
    await t.throwsAsync(applyFenced(store, late, [note(mine.resourceId, 'late')]), { instanceOf: Fenced });
    t.is(await beginWorkAnew(store, MINE), 0, 'a second time there is nothing to do');
  },
);

storesFor('work that has changed since is left alone', async (t, store) => {
  const [old, young] = [await readyRow(store, CREATE), await readyRow(store, CREATE)];
  await claimed(store, old, 'service-1');
  const until = await databaseNow(store);
  await eventually('the clock moves on', async () => (await databaseNow(store)) > until);
  await claimed(store, young, 'service-1');
  t.is(await beginWorkAnew(store, { ...MINE, until }), 1);
  t.like(await rowOf(store, young.resourceId), { state: 'claimed' });
  t.like(await rowOf(store, old.resourceId), { state: 'ready' });
});

storesFor('more work than one transaction takes is all begun anew', async (t, store) => {
  const row = await readyRow(store, CREATE);
  await claimed(store, row, 'service-1');
  for (let copies = 0; copies < 1_100; copies += 100) {
    await store.apply(
      Array.from({ length: 100 }, () => ({ statement: copy.with({ id: row.resourceId, to: randomUUID() }) })),
    );
  }
  t.is(await beginWorkAnew(store, MINE), 1_101);
});

storesFor('who has the work on a resource is found by the resource alone', async (t, store) => {
  const row = await readyRow(store, CREATE);
  const { resourceId } = row;
  t.deepEqual(await findClaimedWork(store, { resourceId }), []);
  await claimed(store, row, 'service-1');
  t.deepEqual(await findClaimedWork(store, { resourceId }), [{ resourceType: 'Volume', serviceId: 'service-1' }]);
  t.deepEqual(await findClaimedWork(store, { resourceId, resourceType: 'Snapshot' }), []);
});

storesFor(
  'a service does of its work what the request means: until then, of that kind, on that resource',
  async (t, store) => {
    const [old, young] = [await readyRow(store, CREATE), await readyRow(store, CREATE)];
    await claimed(store, old, 'service-1');
    const until = new Date(await databaseNow(store));
    await eventually('the clock moves on', async () => (await databaseNow(store)) > until.getTime());
    await claimed(store, young, 'service-1');
    const told: number[] = [];
    const clean = (request: Partial<CleanupRequest>) =>
      doCleanup(
        { store, onCleanup: (_request, count) => told.push(count) },
        'cinder-volume',
        CleanupRequest.create({ serviceId: 'service-1', ...request }),
      );
    await clean({ until, resourceId: young.resourceId });
    await clean({ until, resourceType: 'Snapshot' });
    await clean({ until });
    t.deepEqual(told, [0, 0, 1]);
    t.like(await rowOf(store, old.resourceId), { state: 'ready' });
    t.like(await rowOf(store, young.resourceId), { state: 'claimed' });
    await clean({ resourceType: 'Volume', resourceId: young.resourceId });
    t.is(told.at(-1), 1);
  },
);

test('a clean-up that names neither a service nor a resource would disown everybody, and is refused', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  await claimed(store, row, 'service-1');
  const parts = { store, onCleanup: () => t.fail() };
  for (const request of [undefined, CleanupRequest.create({ host: 'h', binary: 'cinder-volume' })]) {
    await t.throwsAsync(doCleanup(parts, 'cinder-volume', request), { name: 'InvalidInput' });
  }
  t.like(await rowOf(store, row.resourceId), { state: 'claimed' });
});

/** Claims a row for a service. Answers the hold. */
async function claimed(store: Store, { resourceType, resourceId, epoch }: ReadyWorker, serviceId: string) {
  const claim = {
    resourceType,
    resourceId,
    epoch,
    owner: 'owner',
    binary: 'cinder-volume',
    target: BACKEND,
    serviceId,
  };
  await store.apply([{ ...claimWorker(claim), rows: 1 }]);
  return { resourceType, resourceId, epoch: epoch + 1, owner: 'owner' };
}

/** Work whose quota is not decided yet. Answers the resource. */
async function stagedRow(store: Store): Promise<string> {
  const message = { binary: 'cinder-volume', method: 'CreateVolume', payload: Buffer.alloc(0), payloadVersion: '3.0' };
  const row = {
    resourceType: 'Volume',
    resourceId: randomUUID(),
    status: 'creating',
    target: null,
    message,
    context: CONTEXT,
  };
  await store.apply([insertStagedWorker(row as NewWorker, 'api')]);
  return row.resourceId;
}

const copy = statement<{ id: string; to: string }>()(({ db }, p) =>
  db
    .insertInto('workers')
    .columns([...COLUMNS])
    .expression((eb) =>
      eb
        .selectFrom('workers')
        .select((each) => [each.cast<string>(each.val(p.to), 'text').as('resource_id'), ...COLUMNS.slice(1)])
        .where('resource_id', '=', p.id),
    ),
);

const COLUMNS = [
  ...(['resource_id', 'resource_type', 'status', 'method', 'binary', 'target', 'payload', 'payload_version'] as const),
  ...(['context', 'state', 'epoch', 'owner', 'service_id', 'claims', 'sends', 'not_before', 'send_until'] as const),
  ...(['created_at', 'updated_at'] as const),
] as const;
