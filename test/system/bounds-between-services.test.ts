import { PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import { ADMIN, callerFor, refused } from '../support/api.js';
import { clusterFor } from '../support/cluster.js';
import { gatedCopy } from '../support/programs.js';
import { postgresTest } from '../support/sql.js';
import { until } from '../support/until.js';

const BUSY = /"a cast was not taken yet".*"problem":"busy"/;
/** Of a cast that its sender has just made, which no sweep has sent before: of a scheduler's, it is the volume service that is busy. */
const firstBusy = (resourceId: string) =>
  new RegExp(`"a cast was not taken yet".*"${resourceId}".*"sends":1,"problem":"busy"`);
const ONE = { CINDER_CAST_MAX_IN_FLIGHT: '1' };

postgresTest('cast_max_in_flight: a scheduler or volume service with so much work in hand takes no more', async (t) => {
  t.timeout(240_000);
  const gate = await gatedCopy(t);
  const cluster = await clusterFor(t);
  const [api, scheduler] = await Promise.all([cluster.start('api'), cluster.start('scheduler', ONE)]);
  const client = cluster.client(api);
  // what the scheduler takes it gives back while there is no volume service: a cast that comes meanwhile finds it busy
  const waiting = [await client.create()];
  await until(async () => {
    waiting.push(await client.create());
    return BUSY.exec(api.stderr()) ?? undefined;
  }, 'a volume that the scheduler does not take');
  await cluster.start('volume', { ...ONE, PATH: gate.path });
  for (const { id } of waiting) await t.notThrowsAsync(client.available(id));

  const clone = await client.create({ sourceVolumeId: waiting[0]?.id ?? '' });
  await gate.begun();
  const behind = await client.create();
  await scheduler.wrote(firstBusy(behind.id));
  await gate.open();
  for (const { id } of [clone, behind]) await t.notThrowsAsync(client.available(id));
});

postgresTest('rpc_response_timeout: a service that does not answer is waited for so long', async (t) => {
  t.timeout(240_000);
  const cluster = await clusterFor(t, { CINDER_SERVICE_DOWN_TIME: '60' });
  const [api, scheduler] = await Promise.all([
    cluster.start('api', { CINDER_RPC_RESPONSE_TIMEOUT: '1' }),
    cluster.start('scheduler'),
  ]);
  const call = callerFor(t, api);
  scheduler.child.kill('SIGSTOP');
  t.teardown(() => scheduler.child.kill('SIGCONT'));
  const begun = performance.now();
  const refusal = refused(await call(PoolsService.listPools, { detail: false, name: '' }, ADMIN));
  t.like(refusal, { code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
  const tookMs = performance.now() - begun;
  t.true(tookMs > 900 && tookMs < 8_000, `${tookMs} ms`);
});
