import { randomBytes } from 'node:crypto';
import { open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { ExplainPlacementRequest, PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import { ServicesService, type VersionCap, VersionHolderKind } from '#src/gen/cinder/api/v3/services.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import { ADMIN, answered, callerFor, refused } from '../support/api.js';
import { cli } from '../support/cli.js';
import { type Cluster, clusterFor, type ClusterProcess } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { gatedCopy } from '../support/programs.js';
import { bareClient, callBare } from '../support/rpc.js';
import { postgresTest, postgresUrl } from '../support/sql.js';

/** A whole release before the newest; its objects follow from its versions. */
const OLD = { CINDER_RPC_VERSION: 'cinder-scheduler=3.9,cinder-volume=3.15' };
/** What the doctor looks at; what is stored it cannot ask of a volume service that is older than 3.20. */
const BUT_STORAGE = ['work', 'volumes', 'settlements', 'claims', 'quota'];
/** A scheduler of the newest release that stops in its tracks when it is to find a backend. */
const STANDING_STILL = [
  fileURLToPath(new URL('../support/crashing-server.js', import.meta.url)),
  ...['volume_create_scheduler', 'ScheduleCreateVolume', 'RUNNING', 'scheduler', 'SIGSTOP'],
];
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
  'what the newest scheduler and volume service had begun when they were killed is finished by those of an older release',
  async (t) => {
    t.timeout(300_000);
    const [url, folder, gate] = await Promise.all([postgresUrl(t), folderFor(t), gatedCopy(t)]);
    const cluster = await clusterFor(t, { CINDER_DATABASE_URL: url, CINDER_DATA_DIR: folder });
    const [api, first, volume] = await Promise.all([
      cluster.start('api'),
      cluster.start('scheduler'),
      cluster.start('volume', { PATH: gate.path, CINDER_VOLUME_COPY_CONCURRENCY: '3' }),
    ]);
    const store = await openStore(url);
    t.teardown(() => store.close());
    const client = cluster.client(api);
    const source = await client.available((await client.create()).id);
    const pool = join(folder, 'volumes/file/pool');
    const pathOf = ({ id }: { readonly id: string }): string => join(pool, `volume-${id}`);
    const content = randomBytes(1_048_576);
    await writeFile(pathOf(source), content, { flag: 'r+' });

    // more than are copied at a time: some are half made, the others wait for their turn
    const clones = await Promise.all(Array.from({ length: 6 }, () => client.create({ sourceVolumeId: source.id })));
    await gate.begun();
    await untilClaimed(store, 'cinder-volume', clones.length);
    // a scheduler that has taken work, and not passed it on
    first.child.kill('SIGTERM');
    t.is(await first.ended(), 0);
    const scheduler = await cluster.start('scheduler', {}, STANDING_STILL);
    const blanks = await Promise.all(Array.from({ length: 4 }, () => client.create()));
    await untilClaimed(store, 'cinder-scheduler', 1);
    const all = [source, ...clones, ...blanks];
    t.deepEqual(
      (await client.list()).filter(({ status }) => status !== VolumeStatus.CREATING).map(({ id }) => id),
      [source.id],
    );

    for (const process of [scheduler, volume]) {
      process.child.kill('SIGKILL');
      t.is(await process.ended(), 'SIGKILL');
    }
    await started(cluster, OLD);

    for (const { id } of all) t.is((await client.available(id)).id, id);
    t.like(await capOf(t, api, 'cinder-scheduler'), { rpcVersion: '3.9', objectVersion: '1.38' });
    t.like(await capOf(t, api, 'cinder-volume'), { rpcVersion: '3.15', objectVersion: '1.38' });
    for (const clone of clones) {
      t.true((await beginningOf(pathOf(clone), content.length)).equals(content), 'a clone has what its source has');
    }
    t.is((await client.list()).length, all.length);
    const files = (await readdir(pool)).filter((name) => name.includes('volume-'));
    t.deepEqual(files.toSorted(), all.map(({ id }) => `volume-${id}`).toSorted(), 'and nothing half made is left');
    const environment = { CINDER_API: api.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
    const looked = ['doctor', ...BUT_STORAGE.flatMap((subject) => ['--only', subject])];
    await until(async () => ((await cli(looked, { environment })).code === 0 ? true : undefined), 'all to agree');
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

/** Waits until processes of a binary have claimed so much work, or more. */
async function untilClaimed(store: Store, binary: string, count: number): Promise<void> {
  await until(
    async () => ((await store.read(claimed.with({ binary }))).length >= count ? true : undefined),
    `${count} pieces of work to be claimed by ${binary}`,
  );
}

const claimed = statement<{ binary: string }>()(({ db }, p) =>
  db.selectFrom('workers').select('resource_id').where('binary', '=', p.binary).where('state', '=', 'claimed'),
);

async function beginningOf(path: string, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
  await file.close();
  return buffer;
}
