import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MessagesService } from '#src/gen/cinder/api/v3/messages.js';
import { type Volume, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { answered, callerFor } from '../support/api.js';
import { folderFor } from '../support/folder.js';
import { type Client, type Installation, installationFor, until } from '../support/installation.js';
import { mountTest, smallDeviceAt } from '../support/mounts.js';

/** Two backends on one host; the first has more room, so it is tried first. */
const TWO_BACKENDS = {
  CINDER_ENABLED_BACKENDS: 'big,small',
  CINDER_BACKENDS_BIG_CAPACITY_GIB: '1000',
  CINDER_BACKENDS_SMALL_CAPACITY_GIB: '50',
};

mountTest('a volume that its backend cannot make is made by the next one', async (t) => {
  const installation = await installationFor(t, { ...TWO_BACKENDS, ...(await withoutInodes(t, 'big')) });
  const client = installation.client('demo', 'admin');
  const { id } = await client.create();
  const volume = await client.available(id);
  t.is(volume.host, 'node1@small#pool');
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });

  t.is(await installation.stop(), 0);
  t.deepEqual(
    installation.events(id).filter((type) => /scheduled|reschedule|end/.test(type)),
    ['volume.create.scheduled', 'volume.create.reschedule', 'volume.create.scheduled', 'volume.create.end'],
  );
  t.like(installation.books('small/pool'), { workers: 0, settlements: 0, files: [id], halfMade: 0 });
});

mountTest(
  'where every backend fails the volume ends in error, tells its owner, and is charged until it is deleted',
  async (t) => {
    const installation = await installationFor(t, { ...TWO_BACKENDS, ...(await withoutInodes(t, 'big', 'small')) });
    const client = installation.client();
    const volume = await failed(client, (await client.create()).id);
    t.regex(await messageOf(t, installation, volume.id), /No valid backend was found/);
    t.notRegex(volume.statusReason ?? '', /node1|@big|@small/);
    t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });

    await client.delete(volume.id);
    await client.gone(volume.id);
    await givenBack(client);
    t.is(await installation.stop(), 0);
    t.deepEqual(
      installation.events(volume.id).filter((type) => type === 'volume.create.scheduled').length,
      2,
      'each backend was tried once',
    );
  },
);

mountTest('after scheduler_max_attempts nothing more is tried', async (t) => {
  const full = await withoutInodes(t, 'big', 'small');
  const installation = await installationFor(t, { ...TWO_BACKENDS, ...full, CINDER_SCHEDULER_MAX_ATTEMPTS: '2' });
  const client = installation.client();
  const { id } = await failed(client, (await client.create()).id);
  const text = await messageOf(t, installation, id);
  t.regex(text, /2/);
  t.notRegex(text, /node1|@big|@small|ENOSPC|pool\b.*\//);
});

mountTest('with one attempt the first failure is the last', async (t) => {
  const full = await withoutInodes(t, 'big');
  const installation = await installationFor(t, { ...TWO_BACKENDS, ...full, CINDER_SCHEDULER_MAX_ATTEMPTS: '1' });
  const client = installation.client();
  const { id } = await failed(client, (await client.create()).id);
  t.notRegex(await messageOf(t, installation, id), /node1|@big|ENOSPC/);
  t.is(await installation.stop(), 0);
  t.is(installation.events(id).filter((type) => type === 'volume.create.scheduled').length, 1);
});

test('a volume that fits no pool ends in error with the reason, without naming hosts', async (t) => {
  const installation = await installationFor(t, {
    ...TWO_BACKENDS,
    CINDER_MAX_OVER_SUBSCRIPTION_RATIO: '1.0',
    CINDER_QUOTA_GIGABYTES: '-1',
  });
  const client = installation.client();
  const volume = await failed(client, (await client.create({ size: 1_500 })).id);
  const text = await messageOf(t, installation, volume.id);
  t.regex(text, /No valid backend was found\. 2 of 2 pools /);
  t.notRegex(text, /node1|@big|@small/);
  t.true(text.endsWith(volume.statusReason ?? 'no reason'), text);
  await client.delete(volume.id);
  await client.gone(volume.id);
  await givenBack(client);
});

/**
 * Gives backends folders on devices where no file can be made: each creation fails, while looks at the backend find it well, so
 * that it is never taken for one that is away. Returns what configures them.
 */
async function withoutInodes(t: ExecutionContext, ...backends: readonly string[]): Promise<Record<string, string>> {
  const folder = await folderFor(t);
  const paths: Record<string, string> = {};
  for (const backend of backends) {
    await smallDeviceAt(t, join(folder, backend, 'pool'), 'nr_inodes=1,size=1000g');
    paths[`CINDER_BACKENDS_${backend.toUpperCase()}_PATH`] = join(folder, backend);
  }
  return paths;
}

async function failed(client: Client, volumeId: string): Promise<Volume> {
  return until(async () => {
    const volume = await client.get(volumeId);
    return volume?.status === VolumeStatus.ERROR ? volume : undefined;
  }, `${volumeId} to fail`);
}

/** The only message about a volume. */
async function messageOf(
  t: Parameters<typeof callerFor>[0],
  installation: Installation,
  resourceId: string,
): Promise<string> {
  const call = callerFor(t, installation, 'demo');
  const { messages } = answered(await call(MessagesService.listMessages, { pageSize: 0, pageToken: '', resourceId }));
  t.deepEqual(
    messages.map((message) => [message.resourceType, message.resourceId, message.messageLevel]),
    [['VOLUME', resourceId, 'ERROR']],
  );
  return messages[0]?.userMessage ?? '';
}

async function givenBack(client: Client): Promise<void> {
  await until(async () => {
    const { volumes, gigabytes } = await client.usage();
    return [...volumes, ...gigabytes].every((amount) => amount === 0) ? true : undefined;
  }, 'everything to be given back');
}
