import test from 'ava';
import { applyFenced, Fenced, finish } from '#src/casts/claim.js';
import { stopProcess } from '#src/db/processes.js';
import type { Store } from '#src/db/store.js';
import { Gate } from '../support/gate.js';
import { takeForSending } from '#src/db/worker-search.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import {
  aged,
  alive,
  BACKEND,
  claimed,
  CONTEXT,
  everything,
  eventsOf,
  note,
  readyRow,
  registered,
  rowOf,
  silent,
} from './rows.js';

const DOWN_MS = 60_000;
const CREATE = { work: 'create' } as const;

/** Ways in which an owner goes, whether its work may then be taken over, and how often it then was begun. */
const GOES: Record<
  string,
  { readonly taken: boolean; readonly claims?: number; readonly go: (store: Store) => unknown }
> = {
  'lives and was heard of': { taken: false, go: () => undefined },
  'was not heard of for long': { taken: true, go: (store) => silent(store, 'owner', DOWN_MS + 1_000) },
  'was not heard of for a while': { taken: false, go: (store) => silent(store, 'owner', DOWN_MS - 10_000) },
  'has stopped in good order': { taken: true, claims: 1, go: (store) => store.apply([stopProcess('owner')]) },
  'was replaced by a newer run of its service': {
    taken: true,
    go: (store) => registered(store, BACKEND, 'newer run'),
  },
};

for (const [how, { taken, claims = 2, go }] of Object.entries(GOES)) {
  storesFor(`work whose owner ${how} is ${taken ? 'taken over' : 'left alone'}`, async (t, store) => {
    await alive(store, 'owner');
    const row = await readyRow(store, CREATE);
    const former = await claimed(store, row, 'owner', await registered(store, BACKEND, 'owner'));
    await go(store);
    const { receiver, next } = receiverFor(t, store, { downAfterMs: DOWN_MS });

    t.is(await receiver.takeOver(), taken ? 1 : 0);

    if (!taken) {
      t.like(await rowOf(store, row.resourceId), { owner: 'owner', epoch: 2 });
      return;
    }
    const { ended, claim } = await next();
    t.is(ended, 'done');
    t.like(claim, { epoch: 3, claims, resumed: true, owner: 'me', target: BACKEND, context: CONTEXT });
    t.deepEqual(await eventsOf(store, row.resourceId), ['made by me']);
    await t.throwsAsync(applyFenced(store, former, [note(row.resourceId, 'late')]), { instanceOf: Fenced });
  });
}

storesFor('a receiver that starts takes over at once, and not after its first interval', async (t, store) => {
  const row = await readyRow(store, CREATE);
  await claimed(store, row, 'dead');
  const { receiver, next } = receiverFor(t, store, { takeOverIntervalMs: 600_000 });
  await receiver.start();
  t.like(await next(), { ended: 'done', claim: { resourceId: row.resourceId, resumed: true } });
});

storesFor('a former owner who comes back to life writes nothing while the new one works', async (t, store) => {
  const row = await readyRow(store, CREATE);
  const former = await claimed(store, row, 'dead');
  let before: unknown;
  const handlers = new Map([
    [
      'CreateVolume',
      working(store, async () => {
        before = await everything(store, row.resourceId);
        await t.throwsAsync(applyFenced(store, former, [note(row.resourceId, 'late'), finish(former)]), {
          instanceOf: Fenced,
        });
        t.deepEqual(await everything(store, row.resourceId), before);
      }),
    ],
  ]);
  const { receiver, next } = receiverFor(t, store, { handlers });
  await receiver.takeOver();
  t.is((await next()).ended, 'done');
  t.truthy(before);
});

storesFor('of many who find the same orphans each is taken by one', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 12 }, () => readyRow(store, CREATE)));
  for (const row of rows) await claimed(store, row, 'dead');
  const heirs = ['one', 'two', 'three'];
  for (const heir of heirs) await alive(store, heir);
  const receivings = heirs.map((owner) => receiverFor(t, store, { owner }));
  const taken = await Promise.all(receivings.map(({ receiver }) => receiver.takeOver()));
  t.is(
    taken.reduce((sum, count) => sum + count),
    rows.length,
  );
  await eventually('all are done', () => receivings.flatMap(({ endings }) => endings).length === rows.length);
  for (const { resourceId } of rows) t.is((await eventsOf(store, resourceId)).length, 1);
});

test('orphans of a backend that is down do not keep those of this one waiting', async (t) => {
  const store = await sqliteStore(t);
  for (let i = 0; i < 70; i++)
    await claimed(store, await readyRow(store, { work: 'delete', target: 'beta@file' }), 'dead');
  const mine = await readyRow(store, CREATE);
  await claimed(store, mine, 'dead');
  const { receiver, next } = receiverFor(t, store);
  t.is(await receiver.takeOver(), 1);
  t.is((await next()).claim.resourceId, mine.resourceId);
});

test('work in words that this process does not know goes back to the senders, who find others; no claim is counted', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, { ...CREATE, method: 'FlyVolume' });
  await claimed(store, row, 'dead');
  await aged(store, row.resourceId, 5_000);
  const before = await rowOf(store, row.resourceId);
  const { receiver, endings } = receiverFor(t, store);

  t.is(await receiver.takeOver(), 1);

  t.like(await rowOf(store, row.resourceId), {
    ...{ state: 'ready', owner: null, service_id: null, claims: before?.claims, method: 'FlyVolume' },
    epoch: Number(before?.epoch) + 1,
  });
  t.deepEqual(
    (await takeForSending(store, 10)).map(({ resourceId }) => resourceId),
    [row.resourceId],
  );
  t.deepEqual(endings, []);
});

test('what is not for this process stays where it is: other backends, other binaries', async (t) => {
  const store = await sqliteStore(t);
  const rows = [await readyRow(store, { ...CREATE, target: 'beta@file' }), await readyRow(store)];
  for (const row of rows) await claimed(store, row, 'dead');
  const before = await Promise.all(rows.map(({ resourceId }) => rowOf(store, resourceId)));
  const { receiver } = receiverFor(t, store);
  t.is(await receiver.takeOver(), 0);
  t.deepEqual(await Promise.all(rows.map(({ resourceId }) => rowOf(store, resourceId))), before);
});

test('a receiver takes over no more than it has room for, and the rest when there is room', async (t) => {
  const store = await sqliteStore(t);
  await alive(store, 'me');
  for (let i = 0; i < 5; i++) await claimed(store, await readyRow(store, CREATE), 'dead');
  const gate = new Gate();
  const handlers = new Map([['CreateVolume', working(store, () => gate.enter())]]);
  const { receiver, endings, next } = receiverFor(t, store, { handlers, maxInFlight: 2, takeOverIntervalMs: 10 });
  t.is(await receiver.takeOver(), 2);
  gate.open();
  await Promise.all([next(), next()]);
  await receiver.start();
  await eventually('all are taken over', () => endings.length === 5);
  t.true(endings.every(({ ended }) => ended === 'done'));
});

test('a take-over that cannot read is told of, and the next round goes on', async (t) => {
  const store = await sqliteStore(t);
  await alive(store, 'me');
  const row = await readyRow(store, CREATE);
  await claimed(store, row, 'dead');
  let failures = 2;
  const flaky: Store = {
    ...{ dialect: store.dialect, apply: (unit) => store.apply(unit), close: () => store.close() },
    read: (bound) => (failures-- > 0 ? Promise.reject(new Error('away')) : store.read(bound)),
  };
  const { receiver, errors, next } = receiverFor(t, flaky, { takeOverIntervalMs: 10 });
  await receiver.start();
  t.is((await next()).ended, 'done');
  t.is(errors.length, 2);
});
