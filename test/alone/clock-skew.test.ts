import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { PoolsService, type ListPoolsRequest } from '#src/gen/cinder/api/v3/pools.js';
import { ServicesService, ServiceState } from '#src/gen/cinder/api/v3/services.js';
import { ADMIN, answered, callerFor } from '../support/api.js';
import { cli } from '../support/cli.js';
import { clockAhead, clockTest } from '../support/clock.js';
import { clusterFor, type ClusterProcess, type ServiceName } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { type Client, until } from '../support/installation.js';
import { gatedCopy } from '../support/programs.js';
import { turns } from '../support/turns.js';

const SKEW_S = 300;
const DOWN_TIME_S = 4;
/** They are four processes, and each has to be on time. */
const turn = turns(1);
/** For how long everybody must seem to live. */
const WATCHED_MS = 3.5 * DOWN_TIME_S * 1_000;

for (const [where, seconds] of [
  ['ahead', SKEW_S],
  ['behind', -SKEW_S],
] as const) {
  for (const skewed of ['volume', 'scheduler', 'api'] as const) {
    clockTest(
      `a ${skewed} process whose clock is five minutes ${where} neither flaps nor makes others flap`,
      async (t) => {
        await turn(t);
        const copy = await gatedCopy(t);
        const cluster = await clusterFor(t, {
          ...{ CINDER_SERVICE_DOWN_TIME: String(DOWN_TIME_S), CINDER_REPORT_INTERVAL: '1' },
          ...{ CINDER_BACKEND_STATS_POLLING_INTERVAL: '3', CINDER_API_FLOW_DEADLINE: '15', PATH: copy.path },
          CINDER_RESERVATION_EXPIRE: '60',
        });
        const bent = clockAhead(seconds);
        const clock = (service: ServiceName): Readonly<Record<string, string>> => (service === skewed ? bent : {});
        const processes = await Promise.all([
          cluster.start('api', clock('api')),
          cluster.start('scheduler', clock('scheduler')),
          cluster.start('volume', { CINDER_HOST: 'odd', CINDER_DATA_DIR: await folderFor(t), ...clock('volume') }),
          cluster.start('volume', { CINDER_HOST: 'even', CINDER_DATA_DIR: await folderFor(t) }),
        ]);
        const [api] = processes;
        const client = cluster.client(api, 'demo', 'admin');
        const watch = watcher(t, api);
        await until(async () => ((await watch.pools()).length === 2 ? true : undefined), 'both backends to report');

        // long work on each of the backends, which its owner must keep
        const long = await Promise.all(['odd', 'even'].map((host) => cloneOn(client, host)));
        await copy.begun();
        const seen = await watched(t, client, watch);

        t.deepEqual([...seen.down], [], 'everybody seemed to live all the time');
        t.true(seen.made > 3, `${seen.made} volumes were made meanwhile`);
        t.false(seen.oddities.has('stale'), 'reports counted as of their arrival');
        const flag = `clock_${seconds > 0 === (skewed === 'volume') ? 'ahead' : 'behind'}`;
        t.is(seen.oddities.has(flag), skewed !== 'api', `flagged: ${[...seen.oddities].join()}`);
        await copy.open();
        for (const id of long) await client.available(id);
        await isWell(t, api, processes);
      },
    );
  }
}

/** A volume on a host, and a clone of it that is on its way. Answers the clone. */
async function cloneOn(client: Client, host: string): Promise<string> {
  for (;;) {
    const source = await client.available((await client.create()).id);
    if (source.host !== `${host}@file#pool`) continue;
    const { id } = await client.create({ sourceVolumeId: source.id });
    return id;
  }
}

/** Looks at services and pools while volumes come and go, for long enough that a dead process would be seen. */
async function watched(t: ExecutionContext, client: Client, watch: ReturnType<typeof watcher>) {
  const [down, oddities] = [new Set<string>(), new Set<string>()];
  const end = performance.now() + WATCHED_MS;
  const isOver = (): boolean => performance.now() > end;
  const looking = (async () => {
    while (!isOver()) {
      for (const one of await watch.down()) down.add(one);
      const pools = await watch.pools();
      if (pools.length < 2) down.add(`only ${pools.map(({ name }) => name).join()} can be placed on`);
      for (const { kind } of pools.flatMap((pool) => pool.oddities)) oddities.add(kind);
      await delay(200);
    }
  })();
  let made = 0;
  while (!isOver()) {
    const { id } = await client.create();
    await client.available(id);
    await client.delete(id);
    await client.gone(id);
    made += 1;
  }
  await looking;
  return { down, oddities, made };
}

/** No work was lost or taken from its owner, nobody has ended, and the books agree. */
async function isWell(t: ExecutionContext, api: ClusterProcess, processes: readonly ClusterProcess[]): Promise<void> {
  for (const process of processes) {
    t.is(process.child.exitCode, null);
    t.notRegex(process.stderr(), /"ended":"(fenced|failed|stuck)"|volume goes to another backend/);
  }
  const environment = { CINDER_API: api.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
  await until(async () => {
    const { code } = await cli(['doctor'], { environment });
    return code === 0 ? true : undefined;
  }, 'the doctor to find nothing');
}

function watcher(t: ExecutionContext, api: ClusterProcess) {
  const call = callerFor(t, api);
  const detailed: ListPoolsRequest = { detail: true, name: '' };
  return {
    down: async (): Promise<readonly string[]> => {
      const { services } = answered(await call(ServicesService.listServices, { binary: '', host: '' }, ADMIN));
      return services.flatMap(({ binary, host, state }) => (state === ServiceState.UP ? [] : [`${binary} ${host}`]));
    },
    pools: async () => answered(await call(PoolsService.listPools, detailed, ADMIN)).pools,
  };
}
