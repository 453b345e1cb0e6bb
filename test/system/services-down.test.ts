import { fileURLToPath } from 'node:url';
import { type ServiceError, status as Code } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { type Volume, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { refusalIn } from '../support/api.js';
import { allAvailable, clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { type Client, until } from '../support/installation.js';
import { CLI, processFor, type TestProcess } from '../support/process.js';
import { freePort, REDIS_SERVER } from '../support/redis.js';
import { postgresServer, postgresTest } from '../support/sql.js';
import { turns } from '../support/turns.js';

const CRASHING = fileURLToPath(new URL('../support/crashing-server.js', import.meta.url));

/** A case is up to six processes. */
const turn = turns(2);

postgresTest('a volume is accepted while nobody is there to make it, and made when they come', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const client = cluster.client(await cluster.start('api'));
  const { id } = await client.create();
  const scheduler = await cluster.start('scheduler');
  t.is((await client.get(id))?.status, VolumeStatus.CREATING);
  const volume = await cluster.start('volume');
  await client.available(id);

  scheduler.child.kill('SIGKILL');
  await scheduler.ended();
  const second = await client.create();
  await cluster.start('scheduler');
  await client.available(second.id);

  volume.child.kill('SIGTERM');
  t.is(await volume.ended(), 0);
  const third = await client.create();
  await client.delete(id);
  t.is((await client.get(id))?.status, VolumeStatus.DELETING);
  await cluster.start('volume');
  await client.available(third.id);
  await client.gone(id);
  await charged(client, 2);
});

postgresTest('a creation that died with its volume service is finished after the restart', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler')]);
  const crashing = [CRASHING, 'volume_create_manager', 'CreateVolumeFromSpec', 'SUCCESS', 'volume'];
  const doomed = await cluster.start('volume', {}, crashing);
  const client = cluster.client(api);
  const { id } = await client.create();
  t.is(await doomed.ended(), 'SIGKILL');
  t.is((await client.get(id))?.status, VolumeStatus.CREATING);
  await cluster.start('volume');
  await client.available(id);
  await charged(client, 1);
});

postgresTest('a volume whose backend dies after it was chosen is made by another one', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler')]);
  const host = async (name: string, gibibytes: string): Promise<TestProcess> =>
    cluster.start('volume', {
      CINDER_HOST: name,
      CINDER_DATA_DIR: await folderFor(t),
      CINDER_BACKENDS_FILE_CAPACITY_GIB: gibibytes,
    });
  const [preferred] = [await host('big', '1000'), await host('small', '50')];
  const admin = cluster.client(api, 'demo', 'admin');
  t.is((await admin.available((await admin.create()).id)).host, 'big@file#pool');

  preferred.child.kill('SIGSTOP');
  const { id } = await admin.create();
  await until(async () => ((await admin.get(id))?.host === 'big@file#pool' ? true : undefined), 'it to be placed');
  preferred.child.kill('SIGKILL');
  t.is((await admin.available(id)).host, 'small@file#pool');
  await charged(admin, 2);
});

postgresTest(
  'of two volume services of one folder one works; when it dies in its work the other goes on with it',
  async (t) => {
    await turn(t);
    const cluster = await clusterFor(t);
    const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler')]);
    const crashing = [CRASHING, 'volume_create_manager', 'CreateVolumeFromSpec', 'SUCCESS', 'volume'];
    const doomed = await cluster.start('volume', {}, crashing);
    const waiting = await cluster.start('volume');
    await waiting.wrote(/is in use by another process/);
    const client = cluster.client(api);
    const { id } = await client.create();
    t.is(await doomed.ended(), 'SIGKILL');

    await client.available(id);
    await client.available((await client.create()).id);
    await charged(client, 2);
  },
);

postgresTest('a deletion whose backend stays away is given up, and goes on when the backend is back', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t, { CINDER_CLEANUP_GIVE_UP_TIME: '2' });
  const [api, , volume] = await Promise.all([
    cluster.start('api'),
    cluster.start('scheduler'),
    cluster.start('volume'),
  ]);
  const client = cluster.client(api);
  const made = await Promise.all(Array.from({ length: 3 }, () => client.create()));
  await allAvailable(client, 3);
  volume.child.kill('SIGKILL');
  await volume.ended();

  for (const { id } of made) await client.delete(id);
  await until(async () => {
    const statuses = (await client.list()).map(({ status }) => status);
    return statuses.every((status) => status === VolumeStatus.ERROR_DELETING) ? true : undefined;
  }, 'the deletions to be given up');
  await charged(client, 3);
  const [forced = ''] = made.map(({ id }) => id);
  await cluster.client(api, 'demo', 'admin').delete(forced, { force: true });
  t.is((await client.get(forced))?.status, VolumeStatus.DELETING);

  await cluster.start('volume');
  for (const { id } of made) await client.gone(id);
  await charged(client, 0);
  t.deepEqual(await client.quotaDifferences(), []);
});

postgresTest('two APIs and two schedulers make 64 volumes, each once', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const [first, second] = await Promise.all([cluster.start('api'), cluster.start('api')]);
  const other = { CINDER_HOST: 'node2' };
  await Promise.all([cluster.start('scheduler'), cluster.start('scheduler', other), cluster.start('volume')]);
  const clients = [cluster.client(first), cluster.client(second)] as const;
  const made = await Promise.all(Array.from({ length: 64 }, (_, n) => clients[n % 2 === 0 ? 0 : 1].create()));
  await allAvailable(clients[0], 64);
  t.is(new Set(made.map(({ id }) => id)).size, 64);
  await charged(clients[1], 64);
});

postgresTest('processes that are stopped under load end well, and nothing that was accepted is lost', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const [api, leaving] = await Promise.all([cluster.start('api'), cluster.start('api')]);
  const other = { CINDER_HOST: 'node2' };
  const [scheduler, volume] = await Promise.all([
    cluster.start('scheduler'),
    cluster.start('volume'),
    cluster.start('scheduler', other),
  ]);
  const clients = [cluster.client(api), cluster.client(leaving)] as const;
  const load = Array.from({ length: 64 }, (_, n) => accepted(clients[n % 2 === 0 ? 0 : 1]));
  await Promise.race(load);
  const begun = performance.now();
  for (const { child } of [leaving, scheduler, volume]) child.kill('SIGTERM');
  t.deepEqual(await Promise.all([leaving, scheduler, volume].map((one) => one.ended())), [0, 0, 0]);
  t.true(performance.now() - begun < 20_000, 'in bounded time');

  await cluster.start('volume');
  const ids = (await Promise.all(load)).flatMap((made) => made?.id ?? []);
  t.true(ids.length >= 32, `${ids.length} were accepted`);
  for (const id of ids) await clients[0].available(id);
  await until(async () => {
    const statuses = (await clients[0].list()).map(({ status }) => status);
    return statuses.every((status) => status === VolumeStatus.AVAILABLE) ? true : undefined;
  }, 'those whose answer was lost to be made too');
  await charged(clients[0], (await clients[0].list()).length);
});

postgresTest('without Redis nothing is decided and no record half made; when it is back, all goes on', async (t) => {
  await turn(t);
  const port = await freePort();
  const redis = (): TestProcess =>
    processFor(t, REDIS_SERVER, [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ]);
  const before = redis();
  await before.wrote(/Ready to accept connections/);
  const cluster = await clusterFor(t, { CINDER_REDIS_URL: `redis://127.0.0.1:${port}` });
  const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler'), cluster.start('volume')]);
  const client = cluster.client(api);
  const { id } = await client.create();
  await client.available(id);

  before.child.kill('SIGKILL');
  await before.ended();
  await isUnavailable(t, client, 'QUOTA_UNAVAILABLE');
  t.deepEqual(
    (await client.list()).map((volume) => volume.id),
    [id],
    'the records can be read, and are as they were',
  );
  await client.delete(id);
  await client.gone(id);

  await redis().wrote(/Ready to accept connections/);
  const again = await until(() => client.create().catch(() => undefined), 'quota to be decided again');
  await client.available(again.id);
  await charged(client, 1);
});

postgresTest(
  'without PostgreSQL requests are refused within their deadline; when it is back, all goes on',
  async (t) => {
    await turn(t);
    const server = await postgresServer(t);
    const database = server.url(await server.createDatabase('template1'));
    const cluster = await clusterFor(t, { CINDER_DATABASE_URL: database, CINDER_SERVICE_DOWN_TIME: '60' });

    const unmigrated = cluster.run([CLI, 'serve', 'api']);
    t.is(await unmigrated.ended(), 1);
    t.regex(unmigrated.stderr(), /The database has schema none; .* Run `cinder-grpc db migrate` first\./);
    for (const says of ['Migrated from version 0 to ', 'The schema is at version ']) {
      const migrate = cluster.run([CLI, 'db', 'migrate']);
      t.is(await migrate.ended(), 0, migrate.stderr());
      t.true(migrate.stdout().startsWith(says), migrate.stdout());
    }

    const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler'), cluster.start('volume')]);
    const client = cluster.client(api);
    const { id } = await client.create();
    await client.available(id);
    await server.stop();
    await isUnavailable(t, client, 'DATABASE_UNAVAILABLE');

    await server.start();
    const again = await until(() => client.create().catch(() => undefined), 'the database to be used again');
    await client.available(again.id);
    await client.delete(id);
    await client.gone(id);
    await charged(client, 1);
  },
);

/** The volume; undefined where the API was stopped before it answered. Throws what is no reason to try again. */
async function accepted(client: Client): Promise<Volume | undefined> {
  return client.create().catch((error: unknown) => {
    if ((error as ServiceError).code !== Code.UNAVAILABLE) throw error;
    return undefined;
  });
}

/** A creation is refused before its deadline, and the caller is told to try again. */
async function isUnavailable(t: ExecutionContext, client: Client, reason: string): Promise<void> {
  const begun = performance.now();
  const error = await t.throwsAsync<ServiceError>(client.create({}, 10_000));
  t.like(refusalIn(error), { code: 'UNAVAILABLE', reason, retryMs: 1_000 });
  t.true(performance.now() - begun < 8_000, 'before the deadline');
}

/** Waits until so many volumes of a GiB are in use and nothing is reserved. */
async function charged(client: Client, count: number): Promise<void> {
  await until(async () => {
    const { volumes, gigabytes } = await client.usage();
    return [volumes, gigabytes].every(([inUse, reserved]) => inUse === count && reserved === 0) ? true : undefined;
  }, `${count} volumes to be charged`);
}
