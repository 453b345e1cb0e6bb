import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { migrate } from '#src/db/migrate.js';
import { refusalIn } from '../support/api.js';
import { cli } from '../support/cli.js';
import { folderFor } from '../support/folder.js';
import { type Client, type Installation, installationFor, until } from '../support/installation.js';
import { shownBy } from '../support/metrics.js';
import { mountTest, smallDeviceAt } from '../support/mounts.js';
import { CLI, processFor } from '../support/process.js';
import { postgresServer, postgresTest } from '../support/sql.js';

/** A process that cannot write for so long ends: here it is to see the end of the trouble. */
const PATIENT = { CINDER_SERVICE_DOWN_TIME: '600', CINDER_REPORT_INTERVAL: '1', CINDER_API_FLOW_DEADLINE: '4' };

mountTest(
  'a disk that is full or read-only refuses writers, answers readers, and is used again by itself',
  async (t) => {
    t.timeout(240_000);
    const device = await smallDeviceAt(t, join(await folderFor(t), 'records'), 'size=3m');
    const database = { CINDER_DATABASE_URL: `sqlite:${join(device.path, 'cinder.db')}` };
    const installation = await installationFor(t, { ...PATIENT, ...database });
    const client = installation.client();
    const { id } = await client.create();
    await client.available(id);

    await device.fill();
    const refused = await until(() => client.create({}, 10_000).then(none, reason), 'a request to be refused');
    t.like(refused, { code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', retryMs: 1_000 });
    await isNotReady(t, installation, /full/);
    t.true(
      (await client.list()).some((volume) => volume.id === id),
      'what is there can be read',
    );

    await device.free();
    await goesOn(t, installation, client);

    t.is(await installation.stop(), 0);
    device.remount('ro');
    const again = processFor(t, process.execPath, [CLI, 'serve', 'all'], { env: installation.environment });
    t.is(await again.ended(), 1);
    t.regex(again.stderr(), /^The database cannot be used: .*cinder\.db cannot be (used as a database|opened)\.$/m);
    device.remount('rw');
    await installation.start();
    await installation.client().available(id);
  },
);

postgresTest('a server that is read-only refuses writers, answers readers, and is used again by itself', async (t) => {
  t.timeout(240_000);
  const server = await postgresServer(t);
  const url = server.url(await server.createDatabase('template1'));
  await migrate(url);
  const installation = await installationFor(t, { ...PATIENT, CINDER_DATABASE_URL: url });
  const client = installation.client();
  const { id } = await client.create();
  await client.available(id);

  await server.setReadOnly(true);
  for (const ask of [() => client.create({}, 10_000), () => client.delete(id)]) {
    const refused = await until(() => ask().then(none, reason), 'it to be refused');
    t.like(refused, { code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', retryMs: 1_000 });
  }
  await isNotReady(t, installation, /read-only transaction/);
  t.true(
    (await client.list()).some((volume) => volume.id === id),
    'what is there can be read',
  );

  await server.setReadOnly(false);
  await goesOn(t, installation, client);

  await server.stop();
  await isNotReady(t, installation, /./);
  await server.start();
  await goesOn(t, installation, client);
});

/** Probes are told that the database is the part that is not ready, and why. */
async function isNotReady(t: ExecutionContext, installation: Installation, why: RegExp): Promise<void> {
  const shown = await shownBy(installation.process);
  const { sql } = await until(async () => {
    const { status, body } = await shown.page('/readyz');
    const { parts } = JSON.parse(body) as { parts: Readonly<Record<string, { ready: boolean; reason?: string }>> };
    return status === 503 && parts['sql']?.ready === false ? { sql: parts['sql'] } : undefined;
  }, 'it not to be ready');
  t.regex(sql.reason ?? '', why);
  t.is((await shown.page('/healthz')).status, 200);
}

/** Everything works again, and all books agree. */
async function goesOn(t: ExecutionContext, installation: Installation, client: Client): Promise<void> {
  const { id } = await until(() => client.create().catch(() => undefined), 'a request to be taken again');
  await client.available(id);
  const shown = await shownBy(installation.process);
  await until(async () => ((await shown.page('/readyz')).status === 200 ? true : undefined), 'it to be ready');
  const environment = { CINDER_API: installation.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
  await until(async () => ((await cli(['doctor'], { environment })).code === 0 ? true : undefined), 'all to agree');
  t.is(installation.process.child.exitCode, null);
}

const none = (): undefined => undefined;
const reason = (error: unknown) => refusalIn(error as ServiceError);
