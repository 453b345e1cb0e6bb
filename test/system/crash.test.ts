import { fileURLToPath } from 'node:url';
import test from 'ava';
import { folderFor } from '../support/folder.js';
import { type Client, Installation, until } from '../support/installation.js';
import { redisUrlFor } from '../support/redis.js';
import { turns } from '../support/turns.js';

const CRASHING = fileURLToPath(new URL('../support/crashing-server.js', import.meta.url));

/** Recovery looks after twice the flow deadline, and restarts are seen at once: a case takes seconds. */
const IMPATIENT = {
  CINDER_API_FLOW_DEADLINE: '1',
  CINDER_RESERVATION_EXPIRE: '10',
  CINDER_REPORT_INTERVAL: '1',
  CINDER_SERVICE_DOWN_TIME: '5',
};

/** Each case is two processes, one after the other. */
const turn = turns(5);

type Ends = 'made' | 'never was';

/**
 * The process dies here; the volume that was asked for ends so. The private Redis dies with its process and is another
 * incarnation afterwards: then what was recorded and not yet settled is undone; a Redis that lives on has decided it.
 * See docs/protocols.md §Q, crash points, and §W.
 */
const CREATE: readonly (readonly [
  flow: string,
  task: string,
  state: string,
  redis: 'private' | 'lasting',
  ends: Ends,
])[] = [
  ['volume_create_api', 'QuotaReserve', 'RUNNING', 'private', 'never was'],
  ['volume_create_api', 'QuotaReserve', 'SUCCESS', 'private', 'never was'],
  ['volume_create_api', 'QuotaReserve', 'SUCCESS', 'lasting', 'never was'],
  ['volume_create_api', 'EntryCreate', 'SUCCESS', 'private', 'never was'],
  ['volume_create_api', 'EntryCreate', 'SUCCESS', 'lasting', 'made'],
  ['volume_create_api', 'QuotaCommit', 'SUCCESS', 'private', 'never was'],
  ['volume_create_api', 'QuotaCommit', 'SUCCESS', 'lasting', 'made'],
  ['volume_create_api', 'VolumeCast', 'SUCCESS', 'private', 'made'],
  ['volume_create_scheduler', 'ExtractSchedulerSpec', 'RUNNING', 'private', 'made'],
  ['volume_create_scheduler', 'ScheduleCreateVolume', 'RUNNING', 'private', 'made'],
  ['volume_create_scheduler', 'ScheduleCreateVolume', 'SUCCESS', 'private', 'made'],
  ['volume_create_manager', 'ExtractVolumeRef', 'RUNNING', 'private', 'made'],
  ['volume_create_manager', 'CreateVolumeFromSpec', 'RUNNING', 'private', 'made'],
  ['volume_create_manager', 'CreateVolumeFromSpec', 'SUCCESS', 'private', 'made'],
  ['volume_create_manager', 'CreateVolumeOnFinish', 'SUCCESS', 'lasting', 'made'],
];

const DELETE: readonly (readonly [flow: string, task: string, state: string, redis: 'private' | 'lasting'])[] = [
  ['volume_delete_manager', 'ExtractVolumeRef', 'RUNNING', 'private'],
  ['volume_delete_manager', 'DeleteVolumeFromBackend', 'RUNNING', 'private'],
  ['volume_delete_manager', 'DeleteVolumeFromBackend', 'SUCCESS', 'private'],
  ['volume_delete_manager', 'DeleteVolumeOnFinish', 'SUCCESS', 'private'],
  ['volume_delete_manager', 'DeleteVolumeOnFinish', 'SUCCESS', 'lasting'],
  ['volume_delete_manager', 'ReleaseQuota', 'SUCCESS', 'lasting'],
];

const survivesCreate = test.macro({
  async exec(t, flow: string, task: string, state: string, redis: 'private' | 'lasting', ends: Ends) {
    await turn(t);
    const lasting = redis === 'lasting' ? { CINDER_REDIS_URL: await redisUrlFor(t) } : {};
    // what a lasting Redis is to decide must not expire while a busy machine starts the process again
    const patient = ends === 'made' ? { CINDER_RESERVATION_EXPIRE: '60' } : {};
    const installation = new Installation(t, await folderFor(t), { ...IMPATIENT, ...lasting, ...patient });
    await installation.start([CRASHING, flow, task, state]);
    const before = installation.client();
    const asked = { name: 'crash', idempotencyKey: 'once' };
    await before.create(asked).catch(() => undefined);
    t.is(await installation.process.ended(), 'SIGKILL');

    await installation.start();
    const client = installation.client();
    t.deepEqual(await client.quotaDifferences(), [], 'what is undecided is no difference');
    const expected = ends === 'made' ? 1 : 0;
    await settled(client, expected);
    t.deepEqual(await client.quotaDifferences(), []);
    const again = await until(() => client.create(asked).catch(() => undefined), 'the retry to be answered');
    await client.available(again.id);
    t.is((await client.list()).length, 1, 'the retry with the same key makes no second volume');
    t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
    t.deepEqual(await client.quotaDifferences(), []);

    t.is(await installation.stop(), 0);
    const books = installation.books();
    t.deepEqual([...books.records.values()], ['available']);
    t.deepEqual(books.files, [...books.records.keys()]);
    t.like(books, { workers: 0, settlements: 0, halfMade: 0 });
  },
  title: (_, flow: string, task: string, state: string, redis: string, ends: string) =>
    `a volume ${ends} when the process dies as ${task} of ${flow} is ${state}, with a ${redis} Redis`,
});

const survivesDelete = test.macro({
  async exec(t, flow: string, task: string, state: string, redis: 'private' | 'lasting') {
    await turn(t);
    const lasting = redis === 'lasting' ? { CINDER_REDIS_URL: await redisUrlFor(t) } : {};
    const installation = new Installation(t, await folderFor(t), { ...IMPATIENT, ...lasting });
    await installation.start([CRASHING, flow, task, state]);
    const before = installation.client();
    const kept = await before.create({ name: 'kept', size: 2 });
    const doomed = await before.create({ name: 'doomed' });
    await before.available(kept.id);
    await before.available(doomed.id);
    await before.delete(doomed.id);
    t.is(await installation.process.ended(), 'SIGKILL');

    await installation.start();
    const client = installation.client();
    t.deepEqual(await client.quotaDifferences(), [], 'what is not given back yet is no difference');
    await client.gone(doomed.id);
    await until(async () => {
      const { volumes } = await client.usage();
      return volumes[0] === 1 && volumes[1] === 0 ? true : undefined;
    }, 'the amounts to be given back');
    t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [2, 0] });
    t.deepEqual(await client.quotaDifferences(), []);
    await until(async () => ((await client.list()).length === 1 ? true : undefined), 'one volume');

    t.is(await installation.stop(), 0);
    const books = installation.books();
    t.deepEqual([...books.records], [[kept.id, 'available']]);
    t.deepEqual(books.files, [kept.id]);
    t.like(books, { workers: 0, halfMade: 0 });
  },
  title: (_, flow: string, task: string, state: string, redis: string) =>
    `a deletion is finished after the process died as ${task} of ${flow} was ${state}, with a ${redis} Redis`,
});

/** Waits until nothing is undecided: the volumes there are, and the usage, are what they should be. */
async function settled(client: Client, volumes: number): Promise<void> {
  await until(async () => {
    const list = await client.list();
    const usage = await client.usage();
    return list.length === volumes && usage.volumes[0] === volumes && usage.volumes[1] === 0 ? true : undefined;
  }, `${volumes} volumes, all charged and nothing reserved`);
}

for (const crash of CREATE) test(survivesCreate, ...crash);
for (const crash of DELETE) test(survivesDelete, ...crash);
