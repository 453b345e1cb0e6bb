import { setImmediate as turn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { CastSender, type SenderOptions } from '#src/casts/sender.js';
import type { CastAnswer } from '#src/casts/transport.js';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { hastenWorkers } from '#src/db/workers.js';
import { breakRow } from '../support/broken-rows.js';
import { Gate } from '../support/gate.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import {
  aged,
  alive,
  BACKEND,
  claimed,
  everything,
  messagesOf,
  registered,
  type RowOptions,
  readyRow,
  rowOf,
  sentBefore,
} from './rows.js';

const CLAIMED: CastAnswer = { outcome: 'claimed', reason: '', message: '' };
const BUSY: CastAnswer = { outcome: 'busy', reason: '', message: '' };
const refused = (reason: string): CastAnswer => ({ outcome: 'refused', reason, message: `It said ${reason}.` });
const DAY_MS = 24 * 3_600_000;

test('what one turn makes ready goes in calls of at most 64 casts, a call for each target', async (t) => {
  const store = await sqliteStore(t);
  const { sender, calls } = senderOver(t, store);
  const row = await readyRow(store);
  for (let i = 0; i < 130; i++) sender.send({ ...row, resourceId: `any-${i}` });
  for (let i = 0; i < 3; i++) sender.send({ ...row, resourceId: `alpha-${i}`, target: 'alpha@file' });

  await eventually('all are sent', () => calls.flat().length === 133);

  t.deepEqual(
    calls.map((casts) => [casts[0]?.target, casts.length]),
    [
      [null, 64],
      [null, 64],
      [null, 2],
      ['alpha@file', 3],
    ],
  );
});

storesFor('the sweep sends what nobody sends, and leaves alone what somebody has just sent', async (t, store) => {
  const { sender, calls } = senderOver(t, store, { answer: CLAIMED });
  const sentByOthers = await readyRow(store);
  const left = await readyRow(store);
  await aged(store, left.resourceId, 10_000);

  sender.start();
  await eventually('the row is sent', () => calls.length > 0);

  t.deepEqual(idsOf(calls), [left.resourceId]);
  t.like(await rowOf(store, left.resourceId), { sends: 2, state: 'ready' });
  t.like(await rowOf(store, sentByOthers.resourceId), { sends: 1 });
  t.like(calls[0]?.[0], { sends: 2, epoch: 1, message: { method: 'CreateVolume', binary: 'cinder-scheduler' } });
  t.true((calls[0]?.[0]?.ageMs ?? 0) >= 10_000);
});

storesFor('two senders never sweep the same row at the same time', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 20 }, () => readyRow(store)));
  for (const { resourceId } of rows) await aged(store, resourceId, 10_000);
  const senders = [senderOver(t, store), senderOver(t, store)];
  for (const { sender } of senders) sender.start();
  const sent = () => senders.flatMap(({ calls }) => idsOf(calls));
  await eventually('all are sent', () => sent().length >= rows.length);
  t.deepEqual(sent().sort(), rows.map(({ resourceId }) => resourceId).sort());
});

for (const [what, answer] of Object.entries({
  'the peer is busy': BUSY,
  'no peer answers': new Error('nobody there'),
  'the peer is too old': refused('UNSUPPORTED_VERSION'),
  'the backend has moved': refused('NOT_MY_BACKEND'),
  'the peer forgets to answer': undefined,
})) {
  storesFor(`when ${what}, the row waits and nothing has failed`, async (t, store) => {
    const { sender, problems } = senderOver(t, store, { answer, random: () => 0.5 });
    const row = await readyRow(store);
    const before = await everything(store, row.resourceId);
    const started = Date.now();

    sender.send(row);
    await eventually('the row rests', async () => ((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0);

    const { row: after, ...rest } = await everything(store, row.resourceId);
    const restMs = (after?.not_before ?? 0) - started;
    t.true(restMs >= 2_000 && restMs <= 2_000 + (Date.now() - started), `${restMs} ms`);
    t.like(after, { state: 'ready', epoch: 1, send_until: 0 });
    t.deepEqual({ ...rest, row: after }, { ...before, row: { ...before.row, ...restOf(after) } });
    t.is(problems.length, 1);
  });
}

/** Sends, a draw, and the seconds that the row rests: min(2^sends, 30) s ± 20 %. */
const RESTS: readonly (readonly [sends: number, random: number, seconds: number])[] = [
  [1, 0, 1.6],
  [1, 0.999_999, 2.4],
  [3, 0.5, 8],
  [4, 0.5, 16],
  [5, 0.5, 30],
  [2_000, 0, 24],
  [2_000, 0.999_999, 36],
];

for (const [sends, random, seconds] of RESTS) {
  test(`after ${sends} sends and a draw of ${random} a row rests ${seconds} s`, async (t) => {
    const store = await sqliteStore(t);
    const { sender } = senderOver(t, store, { answer: BUSY, random: () => random });
    const row = await readyRow(store);
    await sentBefore(store, row.resourceId, sends);
    const started = Date.now();
    sender.send({ ...row, sends });
    await eventually('the row rests', async () => ((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0);
    const restMs = ((await rowOf(store, row.resourceId))?.not_before ?? 0) - started;
    t.true(restMs >= seconds * 1_000 - 1 && restMs <= seconds * 1_000 + (Date.now() - started), `${restMs} ms`);
  });
}

test('a row that rests is sent again when its rest is over, or when a peer has come up', async (t) => {
  const store = await sqliteStore(t);
  const answers = [BUSY, CLAIMED];
  const { sender, calls } = senderOver(t, store, { answer: () => answers.shift() });
  const row = await readyRow(store);
  await aged(store, row.resourceId, 10_000);
  sender.start();
  await eventually('the row rests', async () => ((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0);
  t.is(calls.length, 1);
  await store.apply([hastenWorkers('cinder-scheduler')]);
  await eventually('it is sent again', () => calls.length === 2);
  t.is(calls[1]?.[0]?.sends, 3);
});

test('what was claimed is forgotten: the sender writes nothing', async (t) => {
  const store = await sqliteStore(t);
  const { sender, calls } = senderOver(t, store, { answer: CLAIMED });
  const row = await readyRow(store);
  const before = await everything(store, row.resourceId);
  sender.send(row);
  await eventually('it is sent', () => calls.length === 1);
  await sender.stop();
  t.deepEqual(await everything(store, row.resourceId), before);
});

/** How work ends that no service does: by the status of its volume. */
const ENDS = {
  schedule: { status: 'error', event: 'volume.create.error', action: '001' },
  create: { status: 'error', event: 'volume.create.error', action: '001' },
  delete: { status: 'error_deleting', event: 'volume.delete.error', action: '100' },
} as const;

for (const [work, { status, event, action }] of Object.entries(ENDS)) {
  const options = { work: work as NonNullable<RowOptions['work']> };

  storesFor(`a ${work} that its service has not built ends with words for the owner`, async (t, store) => {
    const { sender } = senderOver(t, store, { answer: refused('NOT_BUILT') });
    const row = await readyRow(store, options);
    sender.send(row);
    await eventually('it is ended', async () => (await rowOf(store, row.resourceId)) === undefined);
    const { volume, events, messages } = await everything(store, row.resourceId);
    t.is(volume?.status, status);
    t.is(volume?.statusReason, 'It said NOT_BUILT.');
    t.deepEqual(events, [event]);
    t.is(messages.length, 1);
    t.regex(messages[0] ?? '', new RegExp(`^${action} 001 .*It said NOT_BUILT\\.$`));
  });

  storesFor(`a ${work} that nobody takes for a day is given up, and not before`, async (t, store) => {
    const { sender } = senderOver(t, store, { answer: BUSY });
    const young = await readyRow(store, options);
    const old = await readyRow(store, options);
    await aged(store, young.resourceId, DAY_MS - 60_000);
    await aged(store, old.resourceId, DAY_MS + 1_000);
    sender.start();
    await eventually('it is ended', async () => (await rowOf(store, old.resourceId)) === undefined);
    await eventually('the other one rests', async () => ((await rowOf(store, young.resourceId))?.not_before ?? 0) > 0);
    const { volume, events, messages } = await everything(store, old.resourceId);
    t.is(volume?.status, status);
    t.is(volume?.statusReason, 'No service has taken the work for too long.');
    t.deepEqual(events, [event]);
    t.is(messages.length, 1);
  });
}

storesFor(
  'work of a dead owner that nobody is there to take over is given up after a day, and not before',
  async (t, store) => {
    const rows = await Promise.all(
      (
        [
          ['create', BACKEND],
          ['delete', BACKEND],
          ['create', BACKEND],
          ['create', 'beta@file'],
          ['create', 'cluster@file'],
          ['create', BACKEND],
        ] as const
      ).map(([work, target]) => readyRow(store, { work, target })),
    );
    const [creation = '', deletion = '', young = '', served = '', clustered = '', owned = ''] = rows.map(
      ({ resourceId }) => resourceId,
    );
    for (const row of rows) {
      await claimed(store, row, row.resourceId === owned ? 'alive' : 'dead');
      await aged(store, row.resourceId, row.resourceId === young ? DAY_MS - 60_000 : DAY_MS + 1_000);
    }
    await alive(store, 'alive');
    await registered(store, 'beta@file', 'another');
    await registered(store, 'gamma@file', 'another', 'cinder-volume', 'cluster@file');
    const { sender } = senderOver(t, store, { answer: new Error('nobody there'), abandonedIntervalMs: 10 });

    sender.start();
    for (const id of [creation, deletion]) {
      await eventually('it is ended', async () => (await rowOf(store, id)) === undefined);
    }

    t.like(await findVolume(store, { id: creation }), {
      status: 'error',
      statusReason: 'No service has taken the work for too long.',
    });
    t.is((await findVolume(store, { id: deletion }))?.status, 'error_deleting');
    for (const id of [creation, deletion]) t.is((await messagesOf(store, id)).length, 1);
    for (const id of [young, served, clustered, owned]) t.like(await rowOf(store, id), { state: 'claimed', epoch: 2 });
  },
);

storesFor('claimed work whose epoch nobody can say goes back on its way, and is sent', async (t, store) => {
  await alive(store, 'alive');
  const [far, sound] = [await readyRow(store, { work: 'create' }), await readyRow(store, { work: 'create' })];
  for (const row of [far, sound]) await claimed(store, row, 'alive');
  await breakRow(store, 'workers', far.resourceId, { epoch: '9223372036854775807' });
  const { sender, calls } = senderOver(t, store, { abandonedIntervalMs: 10 });

  sender.start();
  await eventually('it is sent', () => calls.length > 0);

  t.deepEqual(idsOf(calls), [far.resourceId]);
  t.true(Number.isSafeInteger(calls[0]?.[0]?.epoch));
  t.like(await rowOf(store, sound.resourceId), { state: 'claimed', epoch: 2 });
});

test('work that somebody has claimed meanwhile is not given up', async (t) => {
  const store = await sqliteStore(t);
  const { sender, problems } = senderOver(t, store, { answer: refused('NOT_BUILT') });
  const row = await readyRow(store);
  const before = await everything(store, row.resourceId);
  sender.send({ ...row, epoch: 0 });
  await eventually('it is told', () => problems.length === 1);
  t.deepEqual(await everything(store, row.resourceId), before);
});

test('what does not fit into memory is left to its row: the queue of a target has a bound', async (t) => {
  const store = await sqliteStore(t);
  const gate = new Gate();
  const { sender, calls } = senderOver(t, store, { before: () => gate.enter() });
  const row = await readyRow(store);
  for (let i = 0; i < 20_000; i++) sender.send({ ...row, resourceId: `volume-${i}` });
  await gate.inside(4);
  t.is(calls.length, 4, 'calls to one target at once');
  gate.open();
  await eventually('all that was kept is sent', () => calls.flat().length === 4_096);
  await turn();
  t.is(calls.flat().length, 4_096);
});

storesFor('a target that takes nothing takes no room from the others', async (t, store) => {
  const hung = await Promise.all(Array.from({ length: 65 }, () => readyRow(store, { work: 'create' })));
  const [other, none] = [await readyRow(store, { work: 'create', target: 'beta@file' }), await readyRow(store)];
  for (const { resourceId } of [...hung, other, none]) await aged(store, resourceId, 10_000);
  const gate = new Gate();
  const { sender, calls } = senderOver(t, store, {
    before: (_signal, [cast]) => (cast?.target === BACKEND ? gate.enter() : Promise.resolve()),
  });
  t.teardown(() => gate.open());
  const [row] = hung;
  const fill = () => {
    for (let i = 0; row && i < 20_000; i++) sender.send({ ...row, resourceId: `volume-${i}` });
  };
  fill();
  await gate.inside(4);
  fill();

  sender.send({ ...other, resourceId: 'from memory' });
  sender.start();
  const sent = () => idsOf(calls.filter(([cast]) => cast?.target !== BACKEND));
  await eventually('those of the others are sent', () => sent().length === 3);

  t.deepEqual(sent().toSorted(), ['from memory', other.resourceId, none.resourceId].toSorted());
  for (const { resourceId } of hung) t.like(await rowOf(store, resourceId), { sends: 1 }, 'the sweep passes it by');
  gate.open();
  const ids = hung.map(({ resourceId }) => resourceId);
  await eventually('its own are sent', () => ids.every((id) => idsOf(calls).includes(id)));
});

test('a row that waits in memory for longer than its lease waits there once', async (t) => {
  const store = await sqliteStore(t);
  const gate = new Gate();
  const { sender, calls } = senderOver(t, store, { before: () => gate.enter() });
  const row = await readyRow(store);
  for (let i = 0; i < 4 * 64; i++) sender.send({ ...row, resourceId: `under-way-${i}` });
  await gate.inside(4);
  for (let i = 0; i < 3; i++) sender.send({ ...row, sends: i + 1 });
  sender.send({ ...row, epoch: 2 });
  gate.open();
  await eventually('all are sent', () => calls.length === 5);
  await turn();
  t.deepEqual(
    calls.slice(4).map((casts) => casts.map(({ epoch }) => epoch)),
    [[1, 2]],
  );
  sender.send(row);
  await eventually('it may be sent again', () => calls.length === 6);
});

test('a sender that stops breaks off its calls, and sends nothing more', async (t) => {
  const store = await sqliteStore(t);
  let broken = false;
  const { sender, calls } = senderOver(t, store, {
    before: (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          broken = true;
          reject(new Error('broken off'));
        });
      }),
  });
  const row = await readyRow(store);
  sender.start();
  sender.send(row);
  await eventually('a call is under way', () => calls.length === 1);
  await sender.stop();
  t.true(broken);
  sender.send(row);
  await turn();
  t.is(calls.length, 1);
  t.like(await rowOf(store, row.resourceId), { state: 'ready', epoch: 1 }, 'another one will send it');
});

test('a sweep that cannot read is told of, and the next one goes on', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store);
  await aged(store, row.resourceId, 10_000);
  let failures = 1;
  const errors: unknown[] = [];
  const flaky: Store = {
    ...{ dialect: store.dialect, read: (statement) => store.read(statement), close: () => store.close() },
    apply: (unit) => (failures-- > 0 ? Promise.reject(new Error('away')) : store.apply(unit)),
  };
  const { sender, calls } = senderOver(t, flaky, { sweepIntervalMs: 10, onError: (error) => errors.push(error) });
  sender.start();
  await eventually('the row is sent', () => calls.length === 1);
  t.is(errors.length, 1);
});

interface Transport {
  /** What the peer says of each cast. @default claimed */
  readonly answer?: CastAnswer | Error | undefined | (() => CastAnswer | undefined);
  readonly before?: (signal: AbortSignal, casts: readonly ReadyWorker[]) => Promise<void>;
}

/** A sender whose peer answers as told, and what it sent; stopped with the test. */
function senderOver(t: ExecutionContext, store: Store, options: Transport & Partial<SenderOptions> = {}) {
  const calls: (readonly ReadyWorker[])[] = [];
  const problems: string[] = [];
  const sender = new CastSender({
    store,
    messageTtlMs: 60_000,
    transport: {
      async deliver(casts, signal) {
        calls.push(casts);
        await options.before?.(signal, casts);
        const answer = 'answer' in options ? options.answer : CLAIMED;
        if (answer instanceof Error) throw answer;
        const given = typeof answer === 'function' ? answer() : answer;
        return given ? casts.map(() => given) : [];
      },
    },
    onProblem: (_cast, problem) => problems.push(problem),
    ...(options.random && { random: options.random }),
    ...(options.onError && { onError: options.onError }),
    ...(options.abandonedIntervalMs && { abandonedIntervalMs: options.abandonedIntervalMs }),
    sweepIntervalMs: options.sweepIntervalMs ?? 20,
  });
  t.teardown(() => sender.stop());
  return { sender, calls, problems };
}

function idsOf(calls: readonly (readonly ReadyWorker[])[]): string[] {
  return calls.flat().map(({ resourceId }) => resourceId);
}

/** The columns that a rest changes. */
function restOf(row: Awaited<ReturnType<typeof rowOf>>) {
  return { not_before: row?.not_before, send_until: row?.send_until };
}
