import test, { type ExecutionContext } from 'ava';
import { knowsAs } from '#src/casts/as-version.js';
import { CastSender } from '#src/casts/sender.js';
import type { CastAnswer } from '#src/casts/transport.js';
import { listMessages } from '#src/db/messages.js';
import type { Store } from '#src/db/store.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { versionOf } from '#src/rpc/version-number.js';
import { breakRow, type Nonsense } from '../support/broken-rows.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import { aged, alive, claimed, eventsOf, everything, incoming, readyRow, rowOf } from './rows.js';

const DAY_MS = 24 * 3_600_000;
const DOWN_MS = 60_000;
const CREATE = { work: 'create' } as const;

/** Texts that are no context. */
const NO_CONTEXTS = ['', 'not JSON', 'null', '5', '"text"', '[]', '{}', '{"requestId": 5, "roles": "admin"}'];

storesFor('rows whose context was broken are sent with their neighbours, and somebody is told', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: NO_CONTEXTS.length + 2 }, () => readyRow(store)));
  for (const { resourceId } of rows) await aged(store, resourceId, 10_000);
  const broken = NO_CONTEXTS.map((_, index) => rows[index]?.resourceId ?? '');
  for (const [index, context] of NO_CONTEXTS.entries()) {
    await breakRow(store, 'workers', broken[index] ?? '', { context });
  }
  const { sender, sent, problems } = senderOver(t, store, 'claimed');

  sender.start();
  await eventually('all are sent', () => sent.length === rows.length);

  t.deepEqual(sent.map(({ resourceId }) => resourceId).toSorted(), rows.map(({ resourceId }) => resourceId).toSorted());
  t.deepEqual(problems.map(({ id }) => id).toSorted(), broken.toSorted());
  t.true(problems.every(({ problem }) => problem === 'its context cannot be read: it goes on without one'));
  const nobody = { requestId: '', projectId: '', userId: '', roles: [], traceparent: '' };
  for (const id of broken) t.deepEqual(sent.find(({ resourceId }) => resourceId === id)?.context, nobody);
});

storesFor('orphans with nonsense in their rows are taken over with the others', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: NO_CONTEXTS.length + 2 }, () => readyRow(store, CREATE)));
  for (const row of rows) await claimed(store, row, 'dead');
  for (const [index, context] of NO_CONTEXTS.entries()) {
    await breakRow(store, 'workers', rows[index]?.resourceId ?? '', {
      context,
      status: 'dancing',
      payload_version: 'x',
    });
  }
  const told: string[] = [];
  const { receiver, endings } = receiverFor(t, store, { onDamage: ({ resourceId }) => told.push(resourceId) });

  t.is(await receiver.takeOver(), rows.length);

  await eventually('all are done', () => endings.length === rows.length);
  t.true(endings.every(({ ended }) => ended === 'done'));
  t.deepEqual(told.toSorted(), NO_CONTEXTS.map((_, index) => rows[index]?.resourceId ?? '').toSorted());
});

storesFor('an orphan that cannot be taken over does not keep the others', async (t, store) => {
  const rows = await Promise.all(Array.from({ length: 3 }, () => readyRow(store, CREATE)));
  for (const row of rows) await claimed(store, row, 'dead');
  const [stubborn] = rows;
  const failing: Store = {
    ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
    apply: (unit) => {
      const isStubborn = unit.some(({ statement }) => statement.values['id'] === stubborn?.resourceId);
      return isStubborn ? Promise.reject(new Error('bigint out of range')) : store.apply(unit);
    },
  };
  const { receiver, errors, endings } = receiverFor(t, failing);
  t.is(await receiver.takeOver(), 2);
  await eventually('the others are done', () => endings.length === 2);
  t.deepEqual(errors.map(String), ['Error: bigint out of range']);
});

storesFor('work whose claim was written and whose answer was lost is begun by its owner', async (t, store) => {
  await alive(store, 'me');
  const [lost, running] = [await readyRow(store, CREATE), await readyRow(store, CREATE)];
  await claimed(store, lost, 'me');
  let release: (() => void) | undefined;
  const handlers = new Map([
    [
      'CreateVolume',
      working(store, ({ resourceId }) =>
        resourceId === running.resourceId ? new Promise<void>((resolve) => (release = resolve)) : undefined,
      ),
    ],
  ]);
  const { receiver, endings, next } = receiverFor(t, store, { handlers, downAfterMs: DOWN_MS });
  const { resourceType, resourceId, epoch, target, context, message } = running;
  const { method, payload: args, payloadVersion: version } = message;
  await receiver.deliver([{ resourceType, resourceId, epoch, method, version, target: target ?? '', args, context }]);
  await eventually('the other one is under way', () => release !== undefined);
  t.is(await receiver.takeOver(), 0, 'the answer may be on its way');

  for (const row of [lost, running]) await breakRow(store, 'workers', row.resourceId, { updated_at: 0 });
  t.is(await receiver.takeOver(), 1);

  t.like(await next(), { ended: 'done', claim: { resourceId: lost.resourceId, epoch: 3, resumed: true } });
  release?.();
  await eventually('both are done', () => endings.length === 2);
  t.deepEqual(await eventsOf(store, running.resourceId), ['made by me'], 'what is under way was left alone');
});

storesFor(
  'orphaned work of a method that nobody knows goes back on its way, and ends when it is too old, not before',
  async (t, store) => {
    const [young, old] = [
      await readyRow(store, { ...CREATE, method: 'FlyVolume' }),
      await readyRow(store, { ...CREATE, method: 'FlyVolume' }),
    ];
    for (const row of [young, old]) await claimed(store, row, 'dead');
    await aged(store, young.resourceId, DAY_MS - 60_000);
    await aged(store, old.resourceId, DAY_MS + 1_000);
    const { receiver } = receiverFor(t, store);

    t.is(await receiver.takeOver(), 2);

    for (const { resourceId } of [young, old]) {
      t.like(await rowOf(store, resourceId), { state: 'ready', epoch: 3, owner: null });
    }
    const { sender } = senderOver(t, store, { outcome: 'refused', reason: 'NO_SUCH_METHOD', message: 'FlyVolume?' });
    sender.start();
    await eventually('it has ended', async () => (await rowOf(store, old.resourceId)) === undefined);
    t.is((await everything(store, old.resourceId)).volume?.status, 'error');
    t.like(await rowOf(store, young.resourceId), { state: 'ready', epoch: 3 });
  },
);

storesFor('orphaned work in words of a newer version goes back on its way, and is not begun', async (t, store) => {
  const [newer, known, none] = [
    await readyRow(store, CREATE),
    await readyRow(store, CREATE),
    await readyRow(store, CREATE),
  ];
  for (const row of [newer, known, none]) await claimed(store, row, 'dead');
  await breakRow(store, 'workers', newer.resourceId, { payload_version: '3.21' });
  await breakRow(store, 'workers', known.resourceId, { payload_version: '3.20' });
  await breakRow(store, 'workers', none.resourceId, { payload_version: 'x' });
  const knows = knowsAs({ rpc: versionOf('3.20'), objects: versionOf('1.39') });
  const { receiver, endings } = receiverFor(t, store, { knows });

  t.is(await receiver.takeOver(), 3);

  await eventually('the others are done', () => endings.length === 2);
  t.deepEqual(
    endings.map(({ claim, ended }) => [claim.resourceId, ended]).toSorted(),
    [known, none].map(({ resourceId }) => [resourceId, 'done']).toSorted(),
  );
  t.like(await rowOf(store, newer.resourceId), { state: 'ready', epoch: 3, owner: null });
});

storesFor('a failure without a context is told to the project that has the volume', async (t, store) => {
  const row = await readyRow(store, { ...CREATE, payload: Buffer.from([0xff, 0xff]) });
  await claimed(store, row, 'dead');
  await breakRow(store, 'workers', row.resourceId, { context: 'not JSON' });
  const handler = working(store);
  const unreadable = {
    ...handler,
    decode: () => {
      throw new Error('no message');
    },
  };
  const { receiver, next } = receiverFor(t, store, { handlers: new Map([['CreateVolume', unreadable]]) });
  await receiver.takeOver();
  t.is((await next()).ended, 'failed');
  const { volume, row: after } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.is(after, undefined);
  const [message] = await listMessages(store, { projectId: volume?.projectId ?? '', limit: 10 });
  t.is(message?.resourceId, row.resourceId);
});

/** A row that its receiver takes for out of date again and again, and what it was changed to by hand. */
const UNCLAIMABLE: Record<string, Readonly<Record<string, Nonsense>>> = {
  'another binary': { binary: 'cinder-volume' },
  'another target': { target: 'nowhere@never' },
};

for (const [what, columns] of Object.entries(UNCLAIMABLE)) {
  storesFor(
    `a row that names ${what} than its receiver is rests longer and longer, and ends by its age`,
    async (t, store) => {
      const row = await readyRow(store);
      await breakRow(store, 'workers', row.resourceId, columns);
      const { sender, problems } = senderOver(t, store, 'superseded');
      sender.send(row);
      await eventually('somebody is told', () => problems.length === 1);
      t.is(problems[0]?.problem, 'its receiver cannot claim the row as it is');
      t.true(((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0, 'it rests');

      await aged(store, row.resourceId, DAY_MS + 1_000);
      await breakRow(store, 'workers', row.resourceId, { not_before: 0 });
      sender.start();
      await eventually('it has ended', async () => (await rowOf(store, row.resourceId)) === undefined);
      const { volume, messages } = await everything(store, row.resourceId);
      t.is(volume?.status, 'error');
      t.is(messages.length, 1);
    },
  );
}

/** Numbers that nothing can be counted on from, or that no program can say exactly. PostgreSQL takes them as texts. */
const FAR_OFF: Record<string, Readonly<Record<string, Nonsense>>> = {
  'as many sends as there can be': { sends: 2_147_483_647 },
  'fewer sends than none': { sends: -2_147_483_648 },
  'as many claims as there can be': { claims: 2_147_483_647 },
  'the last epoch there can be': { epoch: '9223372036854775807' },
  'the first epoch there can be': { epoch: '-9223372036854775808' },
  'an epoch between those that can be said': { epoch: '9007199254740993' },
  'the first moment there can be': { created_at: '-9223372036854775808' },
};

for (const [what, columns] of Object.entries(FAR_OFF)) {
  storesFor(`a row with ${what} does not keep its neighbour, and is done too`, async (t, store) => {
    const rows = [await readyRow(store, CREATE), await readyRow(store, CREATE)];
    for (const { resourceId } of rows) await aged(store, resourceId, 10_000);
    await breakRow(store, 'workers', rows[0]?.resourceId ?? '', columns);
    const { receiver, endings } = receiverFor(t, store);
    const errors: unknown[] = [];
    const sender = new CastSender({
      ...{ store, messageTtlMs: 60_000, sweepIntervalMs: 20 },
      transport: { deliver: (casts) => receiver.deliver(casts.map((cast) => incoming(cast))) },
      onError: (error) => errors.push(error),
    });
    t.teardown(() => sender.stop());

    sender.start();
    await eventually('both are done', () => endings.length === 2);

    t.true(endings.every(({ ended }) => ended === 'done'));
    t.deepEqual(errors, []);
  });
}

test('a row whose age cannot be told ends as one that is too old', async (t) => {
  const store = await sqliteStore(t); // it keeps what it is given
  const row = await readyRow(store);
  await aged(store, row.resourceId, 10_000);
  await breakRow(store, 'workers', row.resourceId, { created_at: 'yesterday' });
  const { sender, sent } = senderOver(t, store, { outcome: 'busy', reason: '', message: '' });

  sender.start();
  await eventually('it has ended', async () => (await rowOf(store, row.resourceId)) === undefined);

  t.true(sent.every(({ ageMs }) => ageMs > DAY_MS));
  t.is((await everything(store, row.resourceId)).volume?.status, 'error');
});

test('claimed work whose age cannot be told is as late as work can be', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  await breakRow(store, 'workers', row.resourceId, { created_at: 'yesterday' });
  const { receiver, next } = receiverFor(t, store);
  await receiver.deliver([incoming(row)]);
  const { claim, ended } = await next();
  t.is(ended, 'done');
  t.true(claim.ageMs > DAY_MS);
});

storesFor('a row that was sent fewer times than never rests as after its first send', async (t, store) => {
  const row = await readyRow(store);
  await aged(store, row.resourceId, 10_000);
  await breakRow(store, 'workers', row.resourceId, { sends: -1_000 });
  const { sender, sent } = senderOver(t, store, { outcome: 'busy', reason: '', message: '' });
  sender.start();
  await eventually('it rests', async () => ((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0);
  t.deepEqual(
    sent.map(({ sends }) => sends),
    [1],
  );
});

test('what was superseded by other work is forgotten: the sender writes nothing', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store, CREATE);
  await claimed(store, row, 'another');
  const before = await everything(store, row.resourceId);
  const { sender, sent, problems } = senderOver(t, store, 'superseded');
  sender.send(row);
  await eventually('it is sent', () => sent.length === 1);
  await sender.stop();
  t.deepEqual(await everything(store, row.resourceId), before);
  t.deepEqual(problems, []);
});

storesFor('a row that nobody can put into words ends at once', async (t, store) => {
  const row = await readyRow(store);
  const answer: CastAnswer = { outcome: 'refused', reason: 'INVALID_INPUT', message: 'It is garbage.' };
  const { sender, givenUp } = senderOver(t, store, answer);
  sender.send(row);
  await eventually('it has ended', async () => (await rowOf(store, row.resourceId)) === undefined);
  const { volume, messages } = await everything(store, row.resourceId);
  const statusReason = `The operators find the cause in the log under ${row.context.requestId}.`;
  t.like(volume, { status: 'error', statusReason });
  t.deepEqual(givenUp, ['It is garbage.']);
  t.is(messages.length, 1);
});

/** A sender whose peer answers each cast so; stopped with the test. */
function senderOver(t: ExecutionContext, store: Store, answer: CastAnswer | 'claimed' | 'superseded') {
  const sent: ReadyWorker[] = [];
  const problems: { readonly id: string; readonly problem: string }[] = [];
  const givenUp: string[] = [];
  const given = typeof answer === 'string' ? { outcome: answer, reason: '', message: '' } : answer;
  const sender = new CastSender({
    store,
    messageTtlMs: 60_000,
    sweepIntervalMs: 20,
    transport: {
      async deliver(casts) {
        sent.push(...casts);
        return casts.map(() => given);
      },
    },
    onProblem: ({ resourceId: id }, problem) => problems.push({ id, problem }),
    onDamage: ({ resourceId: id }, problem) => problems.push({ id, problem }),
    onGivenUp: (_cast, why) => givenUp.push(why),
  });
  t.teardown(() => sender.stop());
  return { sender, sent, problems, givenUp };
}
