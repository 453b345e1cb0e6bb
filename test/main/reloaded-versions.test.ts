import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '#src/config/load.js';
import { putProcess, stopProcess } from '#src/db/processes.js';
import { putService, stopServices } from '#src/db/services.js';
import type { Store } from '#src/db/store.js';
import { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { createLog } from '#src/log/log.js';
import { foundation, type Foundation } from '#src/main/foundation.js';
import { folderFor } from '../support/folder.js';
import { context, schedulerServer } from '../support/rpc.js';

/** Below this age the versions of peers are not read anew by themselves, ms. */
const CAP_MAX_AGE_MS = 5_000;

test('after a reload the next call is worded for the services of now, and goes to the processes of now', async (t) => {
  const { store, scheduler, reloads } = await foundationFor(t);
  const old = await registered(t, store, '3.2');
  const readAt = performance.now();
  t.deepEqual((await scheduler.getPools(context, new Map())).pools, []);
  await store.apply([stopServices(old), stopProcess(old)]);
  await registered(t, store, '3.12');
  await t.throwsAsync(scheduler.workCleanup(context, CleanupRequest.create()), { name: 'ServiceTooOld' });

  await reloads.run();

  t.deepEqual(await scheduler.workCleanup(context, CleanupRequest.create()), { requested: [], notRequested: [] });
  t.true(performance.now() - readAt < CAP_MAX_AGE_MS, 'or it would have been read anew without a reload');
});

/** What the services of a process stand on, with an embedded database of the test's own. */
async function foundationFor(t: ExecutionContext): Promise<Foundation> {
  const folder = await folderFor(t);
  const environment = {
    CINDER_DATA_DIR: folder,
    CINDER_DATABASE_URL: `sqlite:${join(folder, 'cinder.db')}`,
    CINDER_METRICS_LISTEN: '127.0.0.1:0',
  };
  const { config } = loadConfig({ environment, hostname: 'node1', home: '/nonexistent' });
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  const parts = await foundation(config, createLog({ level: 'info', format: 'json', stream }));
  t.teardown(() => parts.close());
  return parts;
}

/** Starts a scheduler of a version and registers it; answers its incarnation. */
async function registered(t: ExecutionContext, store: Store, rpcVersion: string): Promise<string> {
  const handlers = {
    getPools: async () => ({ pools: [] }),
    workCleanup: async () => ({ requested: [], notRequested: [] }),
  };
  const { address: endpoint } = await schedulerServer(t, { rpcVersion, handlers });
  const incarnation = randomUUID();
  const run = { binary: 'cinder-scheduler', host: `at ${rpcVersion}`, rpcVersion, objectVersion: '1.39', incarnation };
  await store.apply([
    putProcess({ ...run, endpoint }),
    putService({ ...run, id: randomUUID(), clusterName: null, availabilityZone: 'nova' }),
  ]);
  return incarnation;
}
