import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { CinderClient } from '#src/client/index.js';
import { cli } from '../support/cli.js';
import { clientFor } from '../support/client.js';
import { atWork, onlyThese, type Work } from '../support/client-at-work.js';
import { type Cluster, type ClusterProcess, clusterFor, type ServiceName } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { freePort } from '../support/redis.js';
import { postgresTest } from '../support/sql.js';

/** What a process runs as before the upgrade. */
const OLD = { CINDER_RPC_VERSION: 'cinder-scheduler=3.9,cinder-volume=3.15' };
const SETTINGS = {
  ...{ CINDER_QUOTA_GIGABYTES: '1000', CINDER_GRACEFUL_SHUTDOWN_TIMEOUT: '20' },
  // below 3.12 reports do not say which claims on room they include: those end by their deadline
  CINDER_CAPACITY_CLAIM_TIMEOUT: '10',
};

/** What services register, by the process's binary. */
const VERSIONS = {
  old: { 'cinder-scheduler': '3.9', 'cinder-volume': '3.15' },
  new: { 'cinder-scheduler': '3.12', 'cinder-volume': '3.20' },
};

type Age = keyof typeof VERSIONS;

/** A place where one process after the other runs. */
interface Place {
  readonly service: ServiceName;
  readonly environment: Readonly<Record<string, string>>;
  running: ClusterProcess;
}

postgresTest(
  'a cluster is upgraded one process at a time, and back again, under the hands of its clients',
  async (t) => {
    t.timeout(600_000);
    const cluster = await clusterFor(t, SETTINGS);
    const places = await everybody(t, cluster);
    const apis = places.filter(({ service }) => service === 'api').map(({ running }) => running.address);
    const client = clientFor(t, { address: `ipv4:${apis.join(',')}` }, { roles: ['admin'] });
    await registered(client, places, () => 'old');
    const work = atWork(t, client);
    await work.goesOn();

    // as docs/upgrading.md has it: those who are called before those who call
    await replaceEach(t, cluster, places, 'new', work, client);
    await foundRight(t, apis[0] ?? '');
    await replaceEach(t, cluster, places.toReversed(), 'old', work, client);

    const kept = await work.stop();
    t.log(`${kept.size} rounds of a volume, its clone and a deletion over ${2 * places.length} replaced processes`);
    await onlyThese(t, client, kept);
    // volume services below 3.20 cannot be asked what they store: the test looks itself
    await foundRight(t, apis[0] ?? '', ['work', 'volumes', 'settlements', 'claims', 'quota']);
    t.deepEqual((await Promise.all(places.map(filesAt))).flat().toSorted(), [...kept].toSorted());
  },
);

/** Starts all places with old processes. */
async function everybody(t: ExecutionContext, cluster: Cluster): Promise<readonly Place[]> {
  const hosts = ['node1', 'node2'];
  const folders = new Map(await Promise.all(hosts.map(async (host) => [host, await folderFor(t)] as const)));
  const at = (host: string): Readonly<Record<string, string>> => ({
    CINDER_HOST: host,
    CINDER_DATA_DIR: folders.get(host) ?? '',
  });
  const planned = [
    ...hosts.map((host) => ({ service: 'scheduler' as const, environment: at(host) })),
    ...hosts.map((host) => ({ service: 'volume' as const, environment: at(host) })),
    ...(await Promise.all(
      hosts.map(async (host) => ({
        service: 'api' as const,
        environment: { ...at(host), CINDER_API_LISTEN: `127.0.0.1:${await freePort()}` },
      })),
    )),
  ];
  return Promise.all(
    planned.map(async ({ service, environment }) => ({
      service,
      environment,
      running: await cluster.start(service, { ...environment, ...OLD }),
    })),
  );
}

/** One process after the other ends in good order and comes back as another version; the work goes on before the next. */
async function replaceEach(
  t: ExecutionContext,
  cluster: Cluster,
  places: readonly Place[],
  age: Age,
  work: Work,
  client: CinderClient,
): Promise<void> {
  const done = new Set<Place>();
  const other: Age = age === 'new' ? 'old' : 'new';
  for (const place of places) {
    place.running.child.kill('SIGTERM');
    t.is(await place.running.ended(), 0, `${place.service} of ${place.environment['CINDER_HOST'] ?? ''}`);
    place.running = await cluster.start(place.service, { ...place.environment, ...(age === 'old' && OLD) });
    done.add(place);
    await registered(client, places, (one) => (done.has(one) ? age : other));
    await work.goesOn();
  }
}

/** Waits until the services are up and say that they are of these ages. */
async function registered(client: CinderClient, places: readonly Place[], ageOf: (place: Place) => Age): Promise<void> {
  const expected = places
    .filter(({ service }) => service !== 'api')
    .map((place) => {
      const binary = `cinder-${place.service}` as keyof (typeof VERSIONS)[Age];
      const host = `${place.environment['CINDER_HOST'] ?? ''}${place.service === 'volume' ? '@file' : ''}`;
      return `${binary} ${host} ${VERSIONS[ageOf(place)][binary]} SERVICE_STATE_UP`;
    })
    .toSorted();
  await until(async () => {
    const { services } = await client.services.listServices({});
    const found = services.map(({ binary, host, rpcVersion, state }) => `${binary} ${host} ${rpcVersion} ${state}`);
    return found.toSorted().join() === expected.join() ? true : undefined;
  }, expected.join());
}

/** Nobody finds anything wrong: work, files, claims and quota agree with the records. `subjects`: of the doctor, all unless said. */
async function foundRight(t: ExecutionContext, address: string, subjects: readonly string[] = []): Promise<void> {
  const environment = { CINDER_API: address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
  const only = subjects.flatMap((subject) => ['--only', subject]);
  for (const command of [
    ['doctor', ...only],
    ['quota', 'check'],
  ]) {
    let last = '';
    await until(
      async () => {
        const { code, stdout, stderr } = await cli([...command, '-f', 'value'], { environment });
        last = `${stdout}${stderr}`;
        return code === 0 && stdout === '' ? true : undefined;
      },
      `${command.join(' ')} to find nothing`,
    ).catch((error: unknown) => t.fail(`${String(error)}\n${last}`));
  }
}

/** Ids of the volumes whose files are at a place, half-made ones too. */
async function filesAt({ service, environment }: Place): Promise<readonly string[]> {
  if (service !== 'volume') return [];
  const names = await readdir(join(environment['CINDER_DATA_DIR'] ?? '', 'volumes/file/pool'));
  return names.filter((name) => /^\.?volume-/.test(name)).map((name) => name.replace(/^volume-/, ''));
}
