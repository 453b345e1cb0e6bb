import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ExplainPlacementRequest, PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import { ServicesService, type VersionCap, VersionHolderKind } from '#src/gen/cinder/api/v3/services.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import { ADMIN, answered, callerFor, refused } from '../support/api.js';
import { type Cluster, clusterFor, type ClusterProcess } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { bareClient, callBare } from '../support/rpc.js';
import { postgresTest } from '../support/sql.js';

/** A whole release before the newest; its objects follow from its versions. */
const OLD = { CINDER_RPC_VERSION: 'cinder-scheduler=3.9,cinder-volume=3.15' };
/** Healing takes five seconds; a machine with other work gets more. */
const HEALED_MS = 60_000;

/** Whoever sends believes for five seconds what it has read of versions; and time to ask. */
const BELIEVED_MS = 8_000;

interface Seen {
  readonly rpcVersion: string;
  readonly objectVersion: string;
  readonly holders: readonly string[];
}

/** What the API says of the cap of a binary. */
async function capOf(t: ExecutionContext, api: ClusterProcess, binary: string): Promise<Seen> {
  const call = callerFor(t, api);
  const { caps } = answered(await call(ServicesService.explainVersionCap, { binary }, ADMIN));
  const { rpcVersion, objectVersion, holders = [] } = caps[0] ?? ({} as Partial<VersionCap>);
  return {
    ...{ rpcVersion: rpcVersion ?? '', objectVersion: objectVersion ?? '' },
    holders: holders.map(({ kind, host }) => (kind === VersionHolderKind.SERVICE ? host : 'rpc_pins')),
  };
}

async function started(cluster: Cluster, environment: Readonly<Record<string, string>> = {}) {
  const scheduler = await cluster.start('scheduler', environment);
  const volume = await cluster.start('volume', environment);
  return { scheduler, volume };
}

postgresTest(
  'processes of an older release serve with newer ones, and hold them down until the last has left',
  async (t) => {
    t.timeout(300_000);
    const cluster = await clusterFor(t);
    const old = await started(cluster, OLD);
    const api = await cluster.start('api');
    const client = cluster.client(api);

    t.deepEqual(await capOf(t, api, 'cinder-scheduler'), {
      rpcVersion: '3.9',
      objectVersion: '1.38',
      holders: ['node1'],
    });
    t.deepEqual(await capOf(t, api, 'cinder-volume'), {
      ...{ rpcVersion: '3.15', objectVersion: '1.38', holders: ['node1@file'] },
    });
    const first = await client.available((await client.create()).id);
    const { error } = await callBare(
      bareClient(t, old.scheduler),
      SchedulerManagerService.getPools,
      { filters: new Map() },
      { 'cinder-rpc-version': '3.10' },
    );
    const fault = error && faultFromServiceError(error);
    t.like(fault, { reason: 'UNSUPPORTED_VERSION', facts: { version: '3.10', served: '3.9' } });

    // a graceful stop marks the row as left; nobody waits for it to age
    for (const process of [old.scheduler, old.volume]) {
      process.child.kill('SIGTERM');
      t.is(await process.ended(), 0);
    }
    t.deepEqual(await capOf(t, api, 'cinder-scheduler'), { rpcVersion: '3.12', objectVersion: '1.39', holders: [] });
    await started(cluster);
    t.deepEqual(await capOf(t, api, 'cinder-volume'), { rpcVersion: '3.20', objectVersion: '1.39', holders: [] });

    await client.delete(first.id);
    await client.gone(first.id);
    await t.notThrowsAsync(async () => client.available((await client.create()).id));
  },
);

postgresTest(
  'what was accepted by the newest is finished by an older release: a downgrade while work is in flight',
  async (t) => {
    t.timeout(300_000);
    const cluster = await clusterFor(t);
    const api = await cluster.start('api');
    const client = cluster.client(api);
    const accepted = await Promise.all(Array.from({ length: 5 }, () => client.create()));

    await started(cluster, OLD);

    for (const { id } of accepted) t.is((await client.available(id)).id, id);
  },
);

postgresTest(
  'within seconds after the last older scheduler has left, what was refused because of it is done',
  async (t) => {
    t.timeout(300_000);
    const cluster = await clusterFor(t);
    const [api, old] = await Promise.all([
      cluster.start('api'),
      cluster.start('scheduler', { CINDER_HOST: 'node2', ...OLD }),
      cluster.start('scheduler'),
    ]);
    const call = callerFor(t, api);
    const request = ExplainPlacementRequest.fromPartial({ volume: { size: 1 } });
    const explained = () => call(PoolsService.explainPlacement, request, ADMIN);
    t.like(refused(await explained()), {
      ...{ code: 'FAILED_PRECONDITION', reason: 'SERVICE_TOO_OLD' },
      facts: { binary: 'cinder-scheduler', method: 'ExplainPlacement', needs: '3.12', cap: '3.9' },
    });

    old.child.kill('SIGTERM');
    t.is(await old.ended(), 0);

    // nothing tells the API: it goes by what it has read
    await until(
      async () => {
        const answer = await explained();
        if (answer.error) t.is(refused(answer).reason, 'SERVICE_TOO_OLD');
        return answer.response;
      },
      'the request to be done',
      BELIEVED_MS,
    );
  },
);

postgresTest('a dead service holds versions down until it is too long silent; a pin goes at SIGHUP', async (t) => {
  t.timeout(300_000);
  const cluster = await clusterFor(t, { CINDER_SERVICE_VERSION_TTL: '60' });
  const dead = await cluster.start('volume', OLD);
  const file = join(await folderFor(t), 'cinder-grpc.toml');
  await writeFile(file, '[rpc_pins]\ncinder-scheduler = "3.8"\n');
  const api = await cluster.start('api', { CINDER_CONFIG: file });
  await cluster.start('scheduler');
  t.deepEqual(await capOf(t, api, 'cinder-scheduler'), {
    rpcVersion: '3.8',
    objectVersion: '1.39',
    holders: ['rpc_pins'],
  });
  await writeFile(file, '');
  api.child.kill('SIGHUP');
  await until(
    async () => ((await capOf(t, api, 'cinder-scheduler')).holders.length === 0 ? true : undefined),
    'the pin to be gone',
  );
  dead.child.kill('SIGKILL');
  await dead.ended();

  t.deepEqual((await capOf(t, api, 'cinder-volume')).holders, ['node1@file']);
  await until(
    async () => ((await capOf(t, api, 'cinder-volume')).rpcVersion === '3.20' ? true : undefined),
    'the dead service to be forgotten',
    60_000 + HEALED_MS,
  );
});
