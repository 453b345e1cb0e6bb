import { spawnSync } from 'node:child_process';
import test from 'ava';
import { Installation, installationFor, sharedInstallation, until } from '../support/installation.js';
import { folderFor } from '../support/folder.js';
import { shownBy } from '../support/metrics.js';
import { CLI, findTool } from '../support/process.js';
import { connect, redisUrlFor } from '../support/redis.js';

const installation = sharedInstallation();

/** A metric that has got so far. A page is up to a second old. */
const reaches = (read: () => Promise<number | undefined>, value: number, what: string): Promise<true> =>
  until(async () => ((await read()) === value ? true : undefined), what);

test('one volume is seen on its whole way: request, flows, casts, quota, placement, driver', async (t) => {
  const running = await installationFor(t);
  const shown = await shownBy(running.process);
  const client = running.client('demo');

  const { id } = await client.create();
  await client.available(id);
  await t.throwsAsync(client.create({ size: 100_000 }));

  const created = { grpc_service: 'cinder.api.v3.Volumes', grpc_method: 'CreateVolume' };
  await reaches(() => shown.value('grpc_server_started_total', created), 2, 'both requests');
  t.is(await shown.value('grpc_server_handled_total', { ...created, grpc_code: 'OK' }), 1);
  t.is(await shown.value('grpc_server_handled_total', { ...created, grpc_code: 'ResourceExhausted' }), 1);
  t.is(await shown.value('grpc_server_handling_seconds_count', created), 2);
  for (const flow of ['volume_create_api', 'volume_create_scheduler', 'volume_create_manager']) {
    t.is(await shown.value('cinder_flows_total', { flow, ending: 'success' }), 1, flow);
  }
  t.is(await shown.value('cinder_flows_total', { flow: 'volume_create_api', ending: 'reverted' }), 1);
  t.is(await shown.value('cinder_task_failures_total', { task: 'QuotaReserve' }), 1);
  for (const binary of ['cinder-scheduler', 'cinder-volume']) {
    t.is(await shown.value('cinder_casts_sent_total', { binary, outcome: 'claimed' }), 1, binary);
    t.is(await shown.value('cinder_casts_received_total', { binary, outcome: 'claimed' }), 1, binary);
    t.is(await shown.value('cinder_work_total', { binary, ended: 'done' }), 1, binary);
    t.is(await shown.value('cinder_oldest_unfinished_seconds', { binary }), 0, binary);
  }
  t.is(await shown.value('cinder_quota_answers_total', { operation: 'reserve', answer: 'reserved' }), 1);
  t.is(await shown.value('cinder_quota_answers_total', { operation: 'reserve', answer: 'over' }), 1);
  t.is(await shown.value('cinder_quota_answers_total', { operation: 'commit', answer: 'committed' }), 1);
  t.is(await shown.value('cinder_quota_rebuilds_total', { outcome: 'rebuilt' }), 1);
  t.is(await shown.value('cinder_quota_alarms_total'), 0);
  t.is(await shown.value('cinder_scheduler_decisions_total', { outcome: 'placed' }), 1);
  t.is(await shown.value('cinder_scheduler_filter_seen_total', { filter: 'CapacityFilter' }), 1);
  t.is(await shown.value('cinder_scheduler_pools'), 1);
  t.is(await shown.value('cinder_driver_seconds_count', { operation: 'create_volume' }), 1);
  t.is(await shown.value('cinder_backends', { state: 'up' }), 1);
  t.is(await shown.value('cinder_redis_up'), 1);
  t.is(await shown.value('cinder_serving'), 3);
});

test('work that nobody takes is seen by its age and its number', async (t) => {
  const running = new Installation(t, await folderFor(t), { CINDER_ENABLED_BACKENDS: 'file' });
  await running.start();
  const { id } = await running.client().create();
  await running.client().available(id);
  t.is(await running.stop(), 0);

  // without a volume service the deletion waits
  await running.start([CLI, 'serve', 'api']);
  await running.client().delete(id);
  const shown = await shownBy(running.process);

  const waiting = { binary: 'cinder-volume', status: 'deleting' };
  await until(
    async () => (((await shown.value('cinder_oldest_unfinished_seconds', waiting)) ?? 0) > 1 ? true : undefined),
    'the deletion to be older than a second',
  );
  t.is(await shown.value('cinder_unfinished_rows', { binary: 'cinder-volume', state: 'ready' }), 1);
});

(findTool('promtool') === undefined ? test.skip : test)(
  'promtool has nothing to say about names, units and help of the metrics',
  async (t) => {
    const client = installation().client();
    await client.available((await client.create()).id);
    const { body } = await (await shownBy(installation().process)).page('/metrics');

    const { status, stdout, stderr } = spawnSync(findTool('promtool') ?? '', ['check', 'metrics'], {
      input: body,
      encoding: 'utf8',
      timeout: 30_000,
    });

    t.is(`${stdout}${stderr}`, '');
    t.is(status, 0);
  },
);

test('no label carries an id, a project or a host, so that the number of series has a bound', async (t) => {
  const client = installation().client('a-project-of-its-own');
  const { id } = await client.create();
  await client.available(id);
  const { body } = await (await shownBy(installation().process)).page('/metrics');

  for (const secret of [id, 'a-project-of-its-own', 'node1', 'req-']) t.false(body.includes(secret), secret);
});

test('a probe is told which part is away, and when it is there again', async (t) => {
  const url = await redisUrlFor(t);
  const running = await installationFor(t, { CINDER_REDIS_URL: url });
  const shown = await shownBy(running.process);
  const redis = await connect(t, url);
  const ready = { ready: true };
  t.deepEqual(JSON.parse((await shown.page('/readyz')).body), {
    ready: true,
    parts: { sql: ready, redis: ready, scheduler: ready, volume: ready, api: ready },
  });

  await redis.client.client('PAUSE', 4_000, 'ALL');
  await until(async () => ((await shown.page('/readyz')).status === 503 ? true : undefined), '503');
  const { parts } = JSON.parse((await shown.page('/readyz')).body) as { parts: Record<string, { reason?: string }> };
  t.truthy(parts['redis']?.reason);
  t.deepEqual(parts['sql'], ready);
  t.is((await shown.page('/healthz')).status, 200, 'the process itself lives');

  await until(async () => ((await shown.page('/readyz')).status === 200 ? true : undefined), '200');
});

test('a process that ends says so to probes while it still answers its callers', async (t) => {
  const url = await redisUrlFor(t);
  const running = await installationFor(t, { CINDER_REDIS_URL: url, CINDER_LOG_LEVEL: 'info' });
  const shown = await shownBy(running.process);
  const redis = await connect(t, url);
  const client = running.client();
  await client.create();
  await redis.client.client('PAUSE', 5_000, 'ALL');
  const created = client.create();
  const begun = { grpc_method: 'CreateVolume' };
  await reaches(() => shown.value('grpc_server_started_total', begun), 2, 'the second request to arrive');

  running.process.child.kill('SIGTERM');
  await running.process.wrote(/"message":"stopping"/);

  const { status, body } = await shown.page('/readyz');
  t.is(status, 503);
  t.regex(body, /it is stopping/);
  t.truthy((await created).id);
  t.is(await running.process.ended(), 0);
});
