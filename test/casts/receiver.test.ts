import { once } from 'node:events';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { Fenced } from '#src/casts/claim.js';
import { readCreateVolumeOnVolume } from '#src/casts/cast-messages.js';
import { MAX_CLAIMS } from '#src/casts/attempts.js';
import { stopProcess } from '#src/db/processes.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { giveBackWorker } from '#src/db/worker-claims.js';
import { deleteAnyWorker } from '#src/db/workers.js';
import { Gate } from '../support/gate.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import { aged, alive, BACKEND, deletionOf, everything, eventsOf, incoming, readyRow, rowOf } from './rows.js';

const CREATE = { work: 'create' } as const;

storesFor('a cast is claimed before it is answered, and the work begins after the answer', async (t, store) => {
  const row = await readyRow(store, CREATE);
  await aged(store, row.resourceId, 5_000);
  const gate = new Gate();
  let begun = false;
  const handlers = new Map([
    [
      'CreateVolume',
      working(store, async () => {
        begun = true;
        await gate.enter();
      }),
    ],
  ]);
  const { receiver, next } = receiverFor(t, store, { handlers });

  const [outcome] = await receiver.deliver([incoming(row)]);

  t.is(outcome?.outcome, 'claimed');
  t.false(begun);
  t.like(await rowOf(store, row.resourceId), {
    ...{ state: 'claimed', owner: 'me', epoch: 2, claims: 1, service_id: 'service-1' },
  });
  t.is(receiver.inFlight, 1);
  gate.open();
  const { ended, claim } = await next();
  t.is(ended, 'done');
  t.like(claim, { epoch: 2, claims: 1, resumed: false, target: BACKEND, owner: 'me', method: 'CreateVolume' });
  t.true(claim.ageMs >= 5_000 && claim.ageMs < 60_000);
  t.is(await rowOf(store, row.resourceId), undefined);
  await eventually('nothing is under way', () => receiver.inFlight === 0);
});

storesFor('a cast that comes twice is done once: the second message is out of date', async (t, store) => {
  const row = await readyRow(store, CREATE);
  const { receiver, next } = receiverFor(t, store);
  const first = await receiver.deliver([incoming(row), incoming(row)]);
  t.deepEqual(
    first.map(({ outcome }) => outcome),
    ['claimed', 'superseded'],
  );
  t.is((await next()).ended, 'done');
  t.is((await receiver.deliver([incoming(row)]))[0]?.outcome, 'superseded');
  t.deepEqual(await eventsOf(store, row.resourceId), ['made by me']);
});

storesFor('of two receivers of one cast exactly one gets it, each time', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 30 }, () => readyRow(store, CREATE)));
  const receivers = ['one', 'two'].map((owner) => receiverFor(t, store, { owner }));
  const answers = await Promise.all(
    receivers.map(({ receiver }) => receiver.deliver(rows.map((row) => incoming(row)))),
  );
  for (const index of rows.keys()) {
    t.deepEqual(answers.map((outcomes) => outcomes[index]?.outcome).sort(), ['claimed', 'superseded']);
  }
  await eventually('all are done', () => receivers.flatMap(({ endings }) => endings).length === rows.length);
  t.true(receivers.every(({ endings }) => endings.every(({ ended }) => ended === 'done')));
});

test('a single RPC whose sender does not say the epoch claims the row as it is', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  const { receiver, next } = receiverFor(t, store);
  t.is((await receiver.deliver([incoming(row, { epoch: undefined })]))[0]?.outcome, 'claimed');
  t.is((await next()).claim.epoch, 2);
});

storesFor('newer work on a resource cuts off the older, whose claim it has ended, and no other', async (t, store) => {
  const [row, other] = [await readyRow(store, CREATE), await readyRow(store, CREATE)];
  const signals = new Map<string, AbortSignal>();
  const create = working(store, async ({ resourceId }, signal) => {
    signals.set(resourceId, signal);
    await once(signal, 'abort');
    signal.throwIfAborted();
  });
  const handlers = new Map([
    ['CreateVolume', create],
    ['DeleteVolume', working(store)],
  ]);
  const { receiver, next } = receiverFor(t, store, { handlers });
  await receiver.deliver([incoming(row), incoming(other)]);
  await eventually('both are under way', () => signals.size === 2);

  await receiver.deliver([incoming(await deletionOf(store, row))]);

  const endings = [await next(), await next()];
  const ended = (method: string) => endings.find(({ claim }) => claim.method === method);
  t.like(ended('CreateVolume'), { ended: 'fenced', claim: { resourceId: row.resourceId, epoch: 2 } });
  t.is(ended('DeleteVolume')?.ended, 'done');
  t.false(signals.get(other.resourceId)?.aborted);
  await eventually('only the other one is under way', () => receiver.inFlight === 1);
});

storesFor('what is not for this process is refused, and the row is untouched', async (t, store) => {
  const elsewhere = await readyRow(store, { ...CREATE, target: 'beta@file' });
  const unbuilt = await readyRow(store, { ...CREATE, method: 'ExtendVolume' });
  const forSchedulers = await readyRow(store);
  const mine = await readyRow(store, CREATE);
  const before = await Promise.all([elsewhere, unbuilt, forSchedulers].map((row) => rowOf(store, row.resourceId)));
  const { receiver, next } = receiverFor(t, store);

  const outcomes = await receiver.deliver([
    incoming(elsewhere),
    incoming(unbuilt),
    incoming(forSchedulers, { target: BACKEND }),
    incoming(mine),
  ]);

  t.deepEqual(
    outcomes.map(({ outcome, reason }) => `${outcome} ${reason}`.trim()),
    ['refused NOT_MY_BACKEND', 'refused NOT_BUILT', 'superseded', 'claimed'],
  );
  t.deepEqual(
    await Promise.all([elsewhere, unbuilt, forSchedulers].map((row) => rowOf(store, row.resourceId))),
    before,
  );
  await next();
});

test('beyond its bound a receiver is busy, and the rows are untouched', async (t) => {
  const store = await sqliteStore(t);
  const rows = await Promise.all(Array.from({ length: 5 }, () => readyRow(store, CREATE)));
  const gate = new Gate();
  const handlers = new Map([['CreateVolume', working(store, () => gate.enter())]]);
  const { receiver, next } = receiverFor(t, store, { handlers, maxInFlight: 2 });

  const [first, second] = await Promise.all([
    receiver.deliver(rows.slice(0, 3).map((row) => incoming(row))),
    receiver.deliver(rows.slice(3).map((row) => incoming(row))),
  ]);

  t.deepEqual(
    first.map(({ outcome }) => outcome),
    ['claimed', 'claimed', 'busy'],
  );
  t.deepEqual(
    second.map(({ outcome }) => outcome),
    ['busy', 'busy'],
  );
  for (const { resourceId } of rows.slice(2)) t.like(await rowOf(store, resourceId), { state: 'ready', epoch: 1 });
  gate.open();
  await Promise.all([next(), next()]);
  await eventually('there is room', () => receiver.inFlight === 0);
  t.is(
    (await receiver.deliver(rows.slice(2).map((row) => incoming(row)))).filter((o) => o.outcome === 'claimed').length,
    2,
  );
});

storesFor('work that fails ends in error: status, message, event and row in one transaction', async (t, store) => {
  const row = await readyRow(store, CREATE);
  const handlers = new Map([
    [
      'CreateVolume',
      working(store, () => {
        throw new Error('The disk is full.');
      }),
    ],
  ]);
  const { receiver, next } = receiverFor(t, store, { handlers });
  await receiver.deliver([incoming(row)]);
  t.is((await next()).ended, 'failed');
  const after = await everything(store, row.resourceId);
  t.is(after.volume?.status, 'error');
  t.is(after.volume?.statusReason, 'The disk is full.');
  t.deepEqual(after.events, ['volume.create.error']);
  t.is(after.messages.length, 1);
  t.is(after.row, undefined);
});

test('work that cannot be read ends in error at once', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, { ...CREATE, payload: Buffer.from([0xff, 0xff, 0xff]) });
  let ran = false;
  const handler = { ...working(store, () => (ran = true)), decode: readCreateVolumeOnVolume as never };
  const { receiver, next } = receiverFor(t, store, { handlers: new Map([['CreateVolume', handler]]) });
  await receiver.deliver([incoming(row)]);
  t.is((await next()).ended, 'failed');
  t.false(ran);
  t.is((await everything(store, row.resourceId)).volume?.status, 'error');
});

storesFor(`work that was begun ${MAX_CLAIMS} times without an end is given up`, async (t, store) => {
  const row = await readyRow(store, CREATE);
  let runs = 0;
  for (let epoch = 1; epoch <= MAX_CLAIMS + 1; epoch++) {
    const handlers = new Map([
      ['CreateVolume', working(store, (_claim, signal) => ((runs += 1), delay(10_000, undefined, { signal })))],
    ]);
    const { receiver, next } = receiverFor(t, store, { owner: `run-${epoch}`, handlers });
    if (epoch === 1) await receiver.deliver([incoming(row)]);
    else t.is(await receiver.takeOver(), 1);
    if (epoch <= MAX_CLAIMS) await eventually('the work has begun', () => runs === epoch);
    if (epoch <= MAX_CLAIMS) await receiver.stop(0);
    t.is((await next()).ended, epoch <= MAX_CLAIMS ? 'stuck' : 'failed');
  }
  t.is(runs, MAX_CLAIMS);
  const { volume, row: left, messages } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.is(left, undefined);
  t.regex(messages[0] ?? '', /begun 5 times and never ended/);
});

storesFor('ends in good order say nothing of the work: it may be begun as often as they come', async (t, store) => {
  const row = await readyRow(store, CREATE);
  let runs = 0;
  const ends = MAX_CLAIMS + 2;
  for (let nth = 1; nth <= ends; nth += 1) {
    const owner = `run-${nth}`;
    await alive(store, owner);
    const handlers = new Map([
      [
        'CreateVolume',
        working(
          store,
          (_claim, signal) => ((runs += 1), nth < ends ? delay(10_000, undefined, { signal }) : undefined),
        ),
      ],
    ]);
    const { receiver, next } = receiverFor(t, store, { owner, handlers });
    if (nth === 1) await receiver.deliver([incoming(row)]);
    else t.is(await receiver.takeOver(), 1);
    await eventually('the work has begun', () => runs === nth);
    if (nth < ends) await receiver.stop(0);
    const { ended, claim } = await next();
    t.deepEqual([ended, claim.claims], [nth < ends ? 'stuck' : 'done', 1]);
    await store.apply([stopProcess(owner)]);
  }
});

test('when the failure cannot be recorded, the row is given back and the claim does not count', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  const handler = {
    ...working(store, () => {
      throw new Error('it broke');
    }),
    fail: () => {
      throw new Error('no words for it');
    },
  };
  const { receiver, next } = receiverFor(t, store, { handlers: new Map([['CreateVolume', handler]]) });
  await receiver.deliver([incoming(row)]);
  t.is((await next()).ended, 'stuck');
  await eventually('the row is given back', async () => (await rowOf(store, row.resourceId))?.state === 'ready');
  t.like(await rowOf(store, row.resourceId), { owner: null, service_id: null, epoch: 3, claims: 0 });
});

test('a row is given back even if the database is away for a while', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  let away = 0;
  const flaky: Store = {
    ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
    apply: (unit) => (away-- > 0 ? Promise.reject(new Error('away')) : store.apply(unit)),
  };
  const handlers = new Map([
    [
      'CreateVolume',
      working(flaky, () => {
        away = 2; // the transaction of the failure, and the first attempt to give the row back
        throw new Error('it broke');
      }),
    ],
  ]);
  const { receiver, errors } = receiverFor(t, flaky, { handlers });
  await receiver.deliver([incoming(row)]);
  await eventually('the row is given back', async () => (await rowOf(store, row.resourceId))?.state === 'ready');
  t.is(errors.length, 1);
});

storesFor('an owner who was replaced writes nothing, neither its work nor its failure', async (t, store) => {
  for (const fails of [false, true]) {
    const row = await readyRow(store, CREATE);
    let before: unknown;
    const handlers = new Map([
      [
        'CreateVolume',
        working(store, async (claim) => {
          await store.apply([giveBackWorker(claim, 0)]);
          before = await everything(store, row.resourceId);
          if (fails) throw new Error('it broke');
        }),
      ],
    ]);
    const { receiver, next } = receiverFor(t, store, { handlers });
    await receiver.deliver([incoming(row)]);
    const { ended, error } = await next();
    t.is(ended, 'fenced');
    t.true(error instanceof Fenced);
    t.deepEqual(await everything(store, row.resourceId), before);
  }
});

test('work whose row is gone is fenced too', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  const handlers = new Map([['CreateVolume', working(store, () => store.apply([deleteAnyWorker(row)]))]]);
  const { receiver, next } = receiverFor(t, store, { handlers });
  await receiver.deliver([incoming(row)]);
  t.is((await next()).ended, 'fenced');
});

storesFor(
  'a receiver that stops lets work end, takes nothing new, and gives back what had not begun',
  async (t, store) => {
    const [running, late, refused] = await Promise.all([1, 2, 3].map(() => readyRow(store, CREATE)));
    if (!running || !late || !refused) throw new Error('three rows');
    const gate = new Gate();
    const handlers = new Map([['CreateVolume', working(store, () => gate.enter())]]);
    const { receiver, next } = receiverFor(t, store, { handlers });
    await receiver.deliver([incoming(running)]);
    await gate.inside(1);

    const claiming = receiver.deliver([incoming(late)]);
    const stopped = receiver.stop(10_000);
    t.is((await receiver.deliver([incoming(refused)]))[0]?.outcome, 'busy');
    t.is((await claiming)[0]?.outcome, 'claimed');
    await eventually('it is given back', async () => (await rowOf(store, late.resourceId))?.state === 'ready');
    t.like(await rowOf(store, late.resourceId), { owner: null, epoch: 3, claims: 0 });
    t.like(await rowOf(store, refused.resourceId), { state: 'ready', epoch: 1 });
    gate.open();
    await stopped;

    t.is((await next()).ended, 'done');
    t.is(await rowOf(store, running.resourceId), undefined);
    t.is(receiver.inFlight, 0);
  },
);

test('work that does not end within the grace is cut off; its row waits for the next owner', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  const { receiver, next, errors } = receiverFor(t, store, {
    handlers: new Map([['CreateVolume', working(store, (_claim, signal) => delay(60_000, undefined, { signal }))]]),
  });
  await receiver.deliver([incoming(row)]);
  await turn();
  await turn();
  const started = performance.now();
  await receiver.stop(50);
  t.true(performance.now() - started < 5_000);
  t.is((await next()).ended, 'stuck');
  t.deepEqual(errors, []);
  t.like(await rowOf(store, row.resourceId), { state: 'claimed', owner: 'me', epoch: 2 });
});

test('a handler may listen for the end in each of many pieces of work without a warning', async (t) => {
  const store = await sqliteStore(t);
  const rows = await Promise.all(Array.from({ length: 30 }, () => readyRow(store, CREATE)));
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const handlers = new Map([
    ['CreateVolume', working(store, (_claim, signal) => delay(60_000, undefined, { signal }))],
  ]);
  const { receiver, endings } = receiverFor(t, store, { handlers });
  await receiver.deliver(rows.map((row) => incoming(row)));
  await turn();
  await receiver.stop(10);
  await turn();
  t.is(endings.length, rows.length);
  t.deepEqual(warnings, []);
});

test('a receiver that starts hastens what waited for its binary, and only that', async (t) => {
  const store = await sqliteStore(t);
  const [mine, others] = [await readyRow(store, CREATE), await readyRow(store)];
  await alive(store, 'me');
  for (const { resourceId } of [mine, others])
    await store.apply([{ statement: rest.with({ id: resourceId }), rows: 1 }]);
  const { receiver } = receiverFor(t, store, { takeOverIntervalMs: 10 });
  await receiver.start();
  t.is((await rowOf(store, mine.resourceId))?.not_before, 0);
  t.true(((await rowOf(store, others.resourceId))?.not_before ?? 0) > 0);
});

test('a send that fails while others still look for a receiver that has just started does not wait for long', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  await alive(store, 'me');
  const { receiver } = receiverFor(t, store, { takeOverIntervalMs: 10 });
  await receiver.start();
  await store.apply([{ statement: rest.with({ id: row.resourceId }), rows: 1 }]);
  await eventually('it is hastened', async () => (await rowOf(store, row.resourceId))?.not_before === 0);
  t.is((await rowOf(store, row.resourceId))?.state, 'ready');
});

test('the words of a failure are cut where the records would burst', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  const handlers = new Map([
    [
      'CreateVolume',
      working(store, () => {
        throw new Error('x'.repeat(5_000));
      }),
    ],
  ]);
  const { receiver, next } = receiverFor(t, store, { handlers });
  await receiver.deliver([incoming(row)]);
  await next();
  t.is((await everything(store, row.resourceId)).volume?.statusReason?.length, 1_000);
});

const rest = statement<{ id: string }>()(({ db }, p) =>
  db.updateTable('workers').set({ not_before: Number.MAX_SAFE_INTEGER }).where('resource_id', '=', p.id),
);
