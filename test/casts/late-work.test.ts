import test from 'ava';
import type { CastHandler } from '#src/casts/handler.js';
import { LateWork } from '#src/casts/late-work.js';
import { Gate } from '../support/gate.js';
import { eventually } from '../support/redis.js';
import { storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import { aged, incoming, readyRow, rowOf } from './rows.js';

const CREATE = { work: 'create' } as const;
const AT_ONCE = 4;
const IN_HAND = 64;
const HOUR_MS = 3_600_000;

storesFor(
  'of the rows that were left few are taken over at once, and what is asked for now is begun beside them',
  async (t, store) => {
    const count = 200;
    const rows = await Promise.all(Array.from({ length: count }, () => readyRow(store, CREATE)));
    const gate = new Gate();
    const begun = new Set<string>();
    const handlers = new Map([
      [
        'CreateVolume',
        working(store, ({ resourceId }) => {
          begun.add(resourceId);
          return rows.some((row) => row.resourceId === resourceId) ? gate.enter() : undefined;
        }),
      ],
    ]);
    const { receiver: dead } = receiverFor(t, store, { owner: 'dead', handlers: new Map([['CreateVolume', never()]]) });
    for (let from = 0; from < count; from += 50)
      await dead.deliver(rows.slice(from, from + 50).map((row) => incoming(row)));

    const { receiver, next } = receiverFor(t, store, { handlers, maxInFlight: 1_000, lateHoldMs: 600_000 });
    t.teardown(() => gate.open());
    t.is(await receiver.takeOver(), IN_HAND);
    await gate.inside(AT_ONCE);
    t.is(begun.size, AT_ONCE);

    const asked = await readyRow(store, CREATE);
    t.is((await receiver.deliver([incoming(asked)]))[0]?.outcome, 'claimed');
    t.is((await next()).claim.resourceId, asked.resourceId, 'it is made while the others stand');
    t.is(await receiver.takeOver(), 0, 'no more are in hand');

    gate.open();
    await eventually('all are made', async () => {
      await receiver.takeOver();
      return begun.size === count + 1 && receiver.inFlight === 0;
    });
  },
);

storesFor('late casts beyond what may be in hand are sent again later, and new ones are taken', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: IN_HAND + 10 }, () => readyRow(store, CREATE)));
  for (const { resourceId } of rows) await aged(store, resourceId, HOUR_MS);
  const fresh = await readyRow(store, CREATE);
  const gate = new Gate();
  const handlers = new Map([['CreateVolume', working(store, () => gate.enter())]]);
  const { receiver } = receiverFor(t, store, { handlers, lateHoldMs: 600_000 });
  t.teardown(() => gate.open());
  await receiver.deliver(rows.slice(0, IN_HAND).map((row) => incoming(row)));
  await gate.inside(AT_ONCE);

  const second = [...rows.slice(IN_HAND), fresh];
  const outcomes = (await receiver.deliver(second.map((row) => incoming(row)))).map(({ outcome }) => outcome);

  t.deepEqual(outcomes, [...Array<string>(10).fill('busy'), 'claimed']);
  t.like(await rowOf(store, second[0]?.resourceId ?? ''), { state: 'ready', epoch: 1 });
  gate.open();
  await eventually('what is in hand is made', () => receiver.inFlight === 0);
});

storesFor('of what a process had in hand when it died only what it had begun counts', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 10 }, () => readyRow(store, CREATE)));
  for (const { resourceId } of rows) await aged(store, resourceId, HOUR_MS);
  const gate = new Gate();
  const begun = new Set<string>();
  const stands = working(store, ({ resourceId }) => (begun.add(resourceId), gate.enter()));
  const dying = receiverFor(t, store, {
    ...{ owner: 'dying', handlers: new Map([['CreateVolume', stands]]), lateHoldMs: 600_000 },
  });
  t.teardown(() => gate.open());
  await dying.receiver.deliver(rows.map((row) => incoming(row)));
  await gate.inside(AT_ONCE);

  const heir = receiverFor(t, store);
  t.is(await heir.receiver.takeOver(), rows.length);

  await eventually('all are made', () => heir.endings.length === rows.length);
  for (const { ended, claim } of heir.endings) {
    t.deepEqual([ended, claim.claims], ['done', begun.has(claim.resourceId) ? 2 : 1]);
  }
});

storesFor('late work that waits for a turn of its own counts when it has it', async (t, store) => {
  const [row, gate] = [await readyRow(store, CREATE), new Gate()];
  await aged(store, row.resourceId, HOUR_MS);
  const handler: CastHandler = {
    ...working(store),
    waits: true,
    async run(claim, request, signal, begin) {
      await gate.enter();
      await begin();
      t.is((await rowOf(store, row.resourceId))?.claims, 1);
      await working(store).run(claim, request, signal, begin);
    },
  };
  const { receiver, next } = receiverFor(t, store, { handlers: new Map([['CreateVolume', handler]]) });
  t.teardown(() => gate.open());
  await receiver.deliver([incoming(row)]);
  await gate.inside(1);
  t.is((await rowOf(store, row.resourceId))?.claims, 0);
  gate.open();
  t.like(await next(), { ended: 'done', claim: { claims: 1 } });
});

storesFor('a receiver that stops gives late work back that has not begun', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 10 }, () => readyRow(store, CREATE)));
  for (const { resourceId } of rows) await aged(store, resourceId, HOUR_MS);
  const gate = new Gate();
  const handlers = new Map([['CreateVolume', working(store, () => gate.enter())]]);
  const { receiver } = receiverFor(t, store, { handlers, lateHoldMs: 600_000 });
  t.teardown(() => gate.open());
  await receiver.deliver(rows.map((row) => incoming(row)));
  await gate.inside(AT_ONCE);
  const stopped = receiver.stop(60_000);

  const states = async () => Promise.all(rows.map(async ({ resourceId }) => (await rowOf(store, resourceId))?.state));
  const back = async () => (await states()).filter((state) => state === 'ready').length;
  await eventually('the rest is given back', async () => (await back()) === rows.length - AT_ONCE);
  for (const { resourceId } of rows) {
    const row = await rowOf(store, resourceId);
    t.is(row?.claims, row?.state === 'ready' ? 0 : 1, 'only what was begun counts');
  }
  gate.open();
  await stopped;
  t.is((await states()).filter((state) => state === undefined).length, AT_ONCE);
});

test('a piece that lasts gives its place to the next, and one that is called off leaves the line', async (t) => {
  const late = new LateWork({ holdMs: 50 });
  const gate = new Gate();
  const { signal } = new AbortController();
  for (let pieces = 0; pieces < AT_ONCE + 2; pieces++) late.take();
  const lasting = Array.from({ length: AT_ONCE }, () => late.run(signal, () => gate.enter()));
  await gate.inside(AT_ONCE);
  const calledOff = new AbortController();
  const seen: string[] = [];
  const first = late.run(calledOff.signal, async () => void seen.push(`called off: ${calledOff.signal.aborted}`));
  const second = late.run(signal, async () => void seen.push('next'));
  t.is(late.room, IN_HAND - AT_ONCE - 2);

  calledOff.abort();
  await first;
  t.deepEqual(seen, ['called off: true']);
  await second; // though no lasting one has ended
  t.deepEqual(seen, ['called off: true', 'next']);
  gate.open();
  await Promise.all(lasting);
  t.is(late.room, IN_HAND);
});

test('while others ask for something late pieces are begun one by one, and then as many as may be', async (t) => {
  let isAsked = true;
  const late = new LateWork({ holdMs: 600_000, isAsked: () => isAsked });
  const [first, others] = [new Gate(), new Gate()];
  const { signal } = new AbortController();
  const pieces = Array.from({ length: AT_ONCE + 3 }, (_, nth) => {
    late.take();
    return late.run(signal, () => (nth === 0 ? first : others).enter());
  });
  await first.inside(1);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(others.most, 0);

  isAsked = false;
  first.open();
  await others.inside(AT_ONCE);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(others.most, AT_ONCE);

  isAsked = true;
  others.open();
  await Promise.all(pieces);
  t.is(late.room, IN_HAND, 'it goes on to the last one all the same');
});

/** Work that stands still until its receiver is told to end. */
function never() {
  return {
    decode: (args: Uint8Array) => args as never,
    run: async (_claim: unknown, _request: unknown, signal: AbortSignal) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut off')))),
    fail: () => [],
  };
}
