import type { ExecutionContext } from 'ava';
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { type Cluster, type ClusterProcess, clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { postgresTest, postgresUrl } from '../support/sql.js';

const SCHEDULERS = 4;
const CLIENTS = 64;
const REQUESTS_EACH = 5;
const REQUESTS = CLIENTS * REQUESTS_EACH;

/** GiB of each backend of each of two hosts; promised ten times over. */
const CAPACITY_GIB = { narrow: 3, wide: 8 };
const RATIO = 10;
const STORES = ['store1', 'store2'];
/** How many volumes of 1 GiB each pool has room for. */
const ROOM = Object.fromEntries(
  STORES.flatMap((host) =>
    Object.entries(CAPACITY_GIB).map(([backend, gib]) => [`${host}@${backend}#pool`, gib * RATIO] as const),
  ),
);
const FITTING = Object.values(ROOM).reduce((sum, count) => sum + count, 0);

/** Volumes that a backend refuses, for each that is made: what a scheduler sold that was not there. */
const MOST_RESCHEDULED = 0.05;

const STORAGE = {
  CINDER_ENABLED_BACKENDS: 'narrow,wide',
  CINDER_BACKENDS_NARROW_CAPACITY_GIB: String(CAPACITY_GIB.narrow),
  CINDER_BACKENDS_WIDE_CAPACITY_GIB: String(CAPACITY_GIB.wide),
  CINDER_MAX_OVER_SUBSCRIPTION_RATIO: String(RATIO),
  // so that some reports are made in the middle of the race
  CINDER_BACKEND_STATS_POLLING_INTERVAL: '3',
  // a busy machine must not leave a request in doubt: all 64 come at once
  CINDER_API_FLOW_DEADLINE: '20',
  CINDER_RESERVATION_EXPIRE: '80',
};

postgresTest(
  'four schedulers and 64 clients fill the backends to the last volume, and backends refuse none',
  async (t) => {
    const databaseUrl = await postgresUrl(t);
    const cluster = await clusterFor(t, { ...STORAGE, CINDER_DATABASE_URL: databaseUrl });
    const store = await openStore(databaseUrl);
    t.teardown(() => store.close());
    const api = await everybody(t, cluster);

    const begun = performance.now();
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, index) => {
        const client = cluster.client(api, `project${index}`);
        for (let count = 0; count < REQUESTS_EACH; count += 1) await client.create();
      }),
    );
    await until(
      async () => ((await store.read(unfinished.with({}))).length === 0 ? true : undefined),
      'the last volume',
    );
    const seconds = (performance.now() - begun) / 1_000;

    const ends = await store.read(volumesByEnd.with({}));
    const made = ends.filter(({ status }) => status === 'available');
    t.deepEqual(Object.fromEntries(made.map(({ host, count }) => [host, Number(count)])), ROOM);
    const refused = ends.filter(({ status }) => status !== 'available');
    t.deepEqual(
      refused.map(({ status, host, count }) => [status, host, Number(count)]),
      [['error', null, REQUESTS - FITTING]],
    );
    t.deepEqual(await reasons(store), ['No valid backend was found.']);
    const rescheduled = (await store.read(reschedules.with({}))).length;
    t.log(`${FITTING} of ${REQUESTS} made in ${seconds.toFixed(1)} s, ${rescheduled} rescheduled`);
    t.true(rescheduled <= MOST_RESCHEDULED * FITTING, `${rescheduled} were sold room that was not there`);
  },
);

/** Starts all services, each in a process of its own; answers the API. */
async function everybody(t: ExecutionContext, cluster: Cluster): Promise<ClusterProcess> {
  const [api] = await Promise.all([
    cluster.start('api'),
    ...STORES.map(async (host) => cluster.start('volume', { CINDER_HOST: host, CINDER_DATA_DIR: await folderFor(t) })),
    ...Array.from({ length: SCHEDULERS }, (_, index) =>
      cluster.start('scheduler', { CINDER_HOST: `scheduler${index}` }),
    ),
  ]);
  return api;
}

async function reasons(store: Store): Promise<readonly string[]> {
  const rows = await store.read(refusals.with({}));
  return [...new Set(rows.map(({ reason }) => reason?.slice(0, 'No valid backend was found.'.length) ?? ''))];
}

const unfinished = statement()(({ db }) => db.selectFrom('volumes').select('id').where('status', '=', 'creating'));

const volumesByEnd = statement()(({ db }) =>
  db
    .selectFrom('volumes')
    .select(({ fn }) => ['status', 'host', fn.countAll().as('count')] as const)
    .groupBy(['status', 'host'])
    .orderBy('host'),
);

const refusals = statement()(({ db }) =>
  db.selectFrom('volumes').select('status_reason as reason').where('status', '=', 'error'),
);

const reschedules = statement()(({ db }) =>
  db.selectFrom('events').select('seq').where('type', '=', 'volume.create.reschedule'),
);
