import test, { type ExecutionContext } from 'ava';
import { CastReceiver } from '#src/casts/receiver.js';
import { CastSender } from '#src/casts/sender.js';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { eventually } from '../support/redis.js';
import {
  context,
  Installation,
  MEBIBYTE,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';
import { sqliteStore } from '../support/sql.js';
import { working } from './receiver-for.js';
import { eventsOf, messagesOf, readyRow, rowOf } from './rows.js';

const LIMIT = 65_536;
const DAY_MS = 24 * 3_600_000;

test('casts that are too large together go in several calls', async (t) => {
  const store = await sqliteStore(t);
  const { sender, problems } = await casting(t, store);
  const rows = await Promise.all(Array.from({ length: 6 }, () => rowOfSize(store, LIMIT / 2)));
  for (const row of rows) sender.send(row);
  for (const { resourceId } of rows) await eventually('done', async () => !(await rowOf(store, resourceId)));
  for (const { resourceId } of rows) t.deepEqual(await eventsOf(store, resourceId), ['made by one']);
  t.deepEqual(problems, []);
});

test('a cast that is too large alone does not keep those beside it, and rests in its row', async (t) => {
  const store = await sqliteStore(t);
  const { sender, problems } = await casting(t, store);
  const huge = await rowOfSize(store, LIMIT + 1);
  const rows = [await rowOfSize(store, 10), huge, await rowOfSize(store, 10)];
  for (const row of rows) sender.send(row);
  await eventually('it rests', async () => ((await rowOf(store, huge.resourceId))?.not_before ?? 0) > 0);
  for (const { resourceId } of rows.filter((row) => row !== huge))
    await eventually('done', async () => !(await rowOf(store, resourceId)));
  t.like(await rowOf(store, huge.resourceId), { state: 'ready', epoch: 1, owner: null });
  t.deepEqual(problems, [`Attempted to send message with a size larger than ${LIMIT}`]);
});

test('what is too large for a receiver that takes less than its sender goes in smaller calls', async (t) => {
  const store = await sqliteStore(t);
  const { sender } = await casting(t, store, { ofSender: MEBIBYTE });
  const huge = await rowOfSize(store, LIMIT + 1);
  const rows = await Promise.all(Array.from({ length: 5 }, () => rowOfSize(store, LIMIT / 2)));
  for (const row of [huge, ...rows]) sender.send(row);
  for (const { resourceId } of rows) await eventually('done', async () => !(await rowOf(store, resourceId)));
  t.like(await rowOf(store, huge.resourceId), { state: 'ready', epoch: 1, owner: null });
});

test('a cast that is still too large after a day is given up, and its owner is told', async (t) => {
  const store = await sqliteStore(t);
  const { sender } = await casting(t, store);
  const row = await rowOfSize(store, LIMIT + 1);
  sender.send({ ...row, ageMs: DAY_MS + 1 });
  await eventually('it is given up', async () => !(await rowOf(store, row.resourceId)));
  t.is((await findVolume(store, { id: row.resourceId }))?.status, 'error');
  const [message = '', ...more] = await messagesOf(store, row.resourceId);
  t.regex(message, /No service has taken the work for too long/);
  t.deepEqual(more, []);
});

for (const [who, limits, says] of [
  [
    'its sender',
    { ofSender: LIMIT, ofReceiver: MEBIBYTE },
    /^Attempted to send message with a size larger than 65536$/,
  ],
  ['its receiver', { ofSender: MEBIBYTE, ofReceiver: LIMIT }, /^Received message larger than max \(\d+ vs\.? 65536\)$/],
] as const) {
  test(`a message that is too large for ${who} is refused, and the next one is taken`, async (t) => {
    const installation = new Installation();
    const casts = new RecordingDispatcher();
    installation.add(await schedulerServer(t, { casts, maxMessageBytes: limits.ofReceiver }), '3.12');
    const client = schedulerClient(t, installation, { maxMessageBytes: limits.ofSender });
    const ask = (length: number) => client.createVolume(context, CreateVolumeRequest.fromPartial(named(length)));
    await t.throwsAsync(ask(LIMIT), { name: 'RemoteError', code: 'RESOURCE_EXHAUSTED', message: says });
    t.deepEqual(casts.casts, []);
    await ask(LIMIT / 2);
    t.is(casts.casts.length, 1);
  });
}

const named = (length: number) => ({ volume: { id: 'volume-1', displayName: 'x'.repeat(length) } });

/** A row whose message is a little larger than so many bytes. */
async function rowOfSize(store: Store, bytes: number) {
  const metadata = new Map([['long', 'x'.repeat(bytes)]]);
  const volumeProperties = { sizeGib: 1, metadata, qosSpecs: new Map(), multiattach: false };
  return readyRow(store, { requestSpec: { volumeProperties } });
}

async function casting(t: ExecutionContext, store: Store, { ofSender = LIMIT } = {}) {
  const installation = new Installation();
  const client = schedulerClient(t, installation, { maxMessageBytes: ofSender });
  const problems: string[] = [];
  const sender = new CastSender({
    ...{ store, transport: { deliver: client.deliver.bind(client) }, messageTtlMs: 60_000, sweepIntervalMs: 20 },
    onProblem: (_, problem) => problems.push(problem),
  });
  t.teardown(() => sender.stop());
  const casts = new CastReceiver({
    ...{ store, binary: 'cinder-scheduler', owner: 'one', serviceFor: () => 'service-1' },
    handlers: new Map([['CreateVolume', working(store)]]),
  });
  t.teardown(() => casts.stop(0));
  installation.add(await schedulerServer(t, { casts, maxMessageBytes: LIMIT }), '3.12');
  return { sender, problems };
}
