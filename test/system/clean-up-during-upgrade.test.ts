import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ServicesService, ServiceState } from '#src/gen/cinder/api/v3/services.js';
import { CleanupWorkersRequest, WorkersService } from '#src/gen/cinder/api/v3/workers.js';
import { ADMIN, answered, type Caller, callerFor, refused } from '../support/api.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { postgresTest } from '../support/sql.js';

/** A release whose scheduler is older than the newest. */
const OLD = { CINDER_RPC_VERSION: 'cinder-scheduler=3.9,cinder-volume=3.15' };
/** All services that are up. */
const EVERYBODY = CleanupWorkersRequest.fromPartial({ isUp: true });

postgresTest(
  'while an older scheduler counts, a clean-up is refused by name; when it was upgraded, it is done',
  async (t) => {
    t.timeout(240_000);
    const cluster = await clusterFor(t);
    const [api, old] = await Promise.all([
      cluster.start('api'),
      cluster.start('scheduler', { CINDER_HOST: 'node2', ...OLD }),
    ]);
    await Promise.all([cluster.start('scheduler'), cluster.start('volume')]);
    const call = callerFor(t, api);
    old.child.kill('SIGKILL');
    await old.ended();
    await until(async () => {
      const { services } = answered(await call(ServicesService.listServices, { binary: '', host: 'node2' }, ADMIN));
      return services[0]?.state === ServiceState.DOWN ? true : undefined;
    }, 'the old scheduler to be down');

    await isRefused(t, call);

    await cluster.start('scheduler', { CINDER_HOST: 'node2' });
    t.deepEqual(await cleaned(call), ['cinder-scheduler node1', 'cinder-scheduler node2', 'cinder-volume node1@file']);
  },
);

postgresTest('a pin refuses a clean-up as an older scheduler does, until it is taken away', async (t) => {
  t.timeout(240_000);
  const cluster = await clusterFor(t);
  const file = join(await folderFor(t), 'cinder-grpc.toml');
  await writeFile(file, '[rpc_pins]\ncinder-scheduler = "3.9"\n');
  const [api, scheduler] = await Promise.all([
    cluster.start('api'),
    cluster.start('scheduler', { CINDER_CONFIG: file }),
  ]);
  const call = callerFor(t, api);

  await isRefused(t, call);

  await writeFile(file, '');
  scheduler.child.kill('SIGHUP');
  t.deepEqual(await cleaned(call), ['cinder-scheduler node1']);
});

/** The refusal says what cannot be done, in a form that programs can read. */
async function isRefused(t: ExecutionContext, call: Caller): Promise<void> {
  const refusal = refused(await call(WorkersService.cleanupWorkers, EVERYBODY, ADMIN));
  t.like(refusal, {
    ...{ code: 'FAILED_PRECONDITION', reason: 'UNAVAILABLE_DURING_UPGRADE', retryMs: undefined },
    ...{ domain: 'cinder-grpc', facts: { action: 'the clean-up of workers' } },
    message: 'the clean-up of workers is unavailable while services are being upgraded.',
  });
}

/** Who was asked to clean up, once that is not refused any more. */
async function cleaned(call: Caller): Promise<readonly string[]> {
  return until(async () => {
    const answer = await call(WorkersService.cleanupWorkers, EVERYBODY, ADMIN);
    if (answer.error && refused(answer).reason === 'UNAVAILABLE_DURING_UPGRADE') return undefined;
    return answered(answer)
      .cleaning.map(({ binary, host }) => `${binary} ${host}`)
      .sort();
  }, 'the clean-up to be done');
}
