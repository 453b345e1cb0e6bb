import type { ServiceError } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { refusalIn } from '../support/api.js';
import { cli } from '../support/cli.js';
import { type Client, type Installation, installationFor, until } from '../support/installation.js';
import { type Shown, shownBy } from '../support/metrics.js';
import { redisProcessFor } from '../support/redis-processes.js';

const DEADLINE_MS = 8_000;

test('while Redis hangs, loads its data or is full, requests come back, work goes on, and nothing is left over', async (t) => {
  t.timeout(240_000);
  const server = await redisProcessFor(t);
  const installation = await installationFor(t, {
    ...{ CINDER_REDIS_URL: `redis://127.0.0.1:${server.port}`, CINDER_API_FLOW_DEADLINE: '3' },
    CINDER_RESERVATION_EXPIRE: '20',
  });
  const client = installation.client();
  const shown = await shownBy(installation.process);
  const [kept, deleted] = await Promise.all([client.create(), client.create()]);
  for (const { id } of [kept, deleted]) await client.available(id);

  // it hangs
  server.pause();
  await isRefused(t, client);
  await client.delete(deleted.id);
  await client.gone(deleted.id);
  t.is((await client.list())[0]?.status, VolumeStatus.AVAILABLE, 'readers are answered');
  await notReady(t, shown, /./);
  server.resume();
  await goesOn(t, installation, client, shown);

  // it is full
  await server.admin.config('SET', 'maxmemory', '1');
  await isRefused(t, client);
  await server.admin.config('SET', 'maxmemory', '0');
  await goesOn(t, installation, client, shown);

  // it loads its data
  await server.admin.call('DEBUG', 'POPULATE', 400, 'key', 100);
  await server.admin.save();
  await server.kill();
  const loading = server.start(['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024']);
  await notReady(t, shown, /it is still loading its data/);
  await isRefused(t, client);
  await loading;
  await goesOn(t, installation, client, shown);
});

/** A creation comes back before its deadline, and the caller is told when to try again. */
async function isRefused(t: ExecutionContext, client: Client): Promise<void> {
  const begun = performance.now();
  const error = await t.throwsAsync<ServiceError>(client.create({}, 2 * DEADLINE_MS));
  t.like(refusalIn(error), { code: 'UNAVAILABLE', reason: 'QUOTA_UNAVAILABLE', retryMs: 1_000 });
  t.true(performance.now() - begun < DEADLINE_MS, 'before the deadline');
}

async function notReady(t: ExecutionContext, shown: Shown, why: RegExp): Promise<void> {
  const { redis } = await until(async () => {
    const { parts } = JSON.parse((await shown.page('/readyz')).body) as {
      parts: Readonly<Record<string, { ready: boolean; reason?: string }>>;
    };
    const part = parts['redis'];
    return part?.ready === false && why.test(part.reason ?? '') ? { redis: part } : undefined;
  }, `probes to be told ${why.source}`);
  t.false(redis.ready);
  t.is((await shown.page('/healthz')).status, 200);
}

/** Everything works again, what was asked for meanwhile was not half made, and all books agree. */
async function goesOn(t: ExecutionContext, installation: Installation, client: Client, shown: Shown): Promise<void> {
  const { id } = await until(() => client.create().catch(() => undefined), 'a request to be taken again');
  await client.available(id);
  await until(async () => ((await shown.page('/readyz')).status === 200 ? true : undefined), 'it to be ready');
  const volumes = await client.list();
  await until(async () => {
    const usage = await client.usage();
    return usage.volumes.join() === `${volumes.length},0` ? true : undefined;
  }, 'quota to be what the records say');
  const environment = { CINDER_API: installation.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
  await until(async () => ((await cli(['doctor'], { environment })).code === 0 ? true : undefined), 'all to agree');
  t.is(installation.process.child.exitCode, null);
}
