import { setTimeout as delay } from 'node:timers/promises';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { clusterFor, type ClusterProcess } from '../support/cluster.js';
import { until } from '../support/installation.js';
import { CLI } from '../support/process.js';
import { postgresServer, postgresTest } from '../support/sql.js';

/** Exit code of a process that must not go on. */
const FENCED = 70;
const DOWN_TIME_S = 6;
const REPORT_INTERVAL_S = 1;
/** For a slow machine; a statement that hangs is given up only after 10 s, which would be too late. */
const EXTRA_MS = 3_500;

postgresTest(
  'processes that cannot write their heartbeat end with 70, and do not wait for the statement that hangs',
  async (t) => {
    t.timeout(240_000);
    const server = await postgresServer(t);
    const cluster = await clusterFor(t, {
      CINDER_DATABASE_URL: server.url(await server.createDatabase('template1')),
      ...{ CINDER_SERVICE_DOWN_TIME: `${DOWN_TIME_S}`, CINDER_REPORT_INTERVAL: `${REPORT_INTERVAL_S}` },
    });
    t.is(await cluster.run([CLI, 'db', 'migrate']).ended(), 0);
    const api = await cluster.start('api');
    const processes = [api, ...(await Promise.all([cluster.start('scheduler'), cluster.start('volume')]))];
    const client = cluster.client(api);
    const { id } = await client.available((await client.create()).id);

    server.pause();
    const begun = performance.now();
    const asked = Array.from({ length: 4 }, () => client.create({}, 60_000).catch((error: unknown) => error));
    t.deepEqual(await Promise.all(processes.map(codeOf)), [FENCED, FENCED, FENCED]);
    const tookMs = performance.now() - begun;
    const patienceMs = (DOWN_TIME_S - REPORT_INTERVAL_S) * 1_000;
    t.true(tookMs < patienceMs + EXTRA_MS, `in time: ${tookMs} ms`);
    for (const [index, binary] of ['cinder-api', 'cinder-scheduler', 'cinder-volume'].entries()) {
      t.regex(processes[index]?.stderr() ?? '', new RegExp(`"${binary} could not write a heartbeat for too long"`));
    }
    for (const answer of await Promise.all(asked)) t.true(answer instanceof Error, 'nothing was promised');

    server.resume();
    const next = await cluster.start('api');
    const again = cluster.client(next);
    t.deepEqual(
      (await again.list()).map((volume) => [volume.id, volume.status]),
      [[id, VolumeStatus.AVAILABLE]],
      'nothing was recorded either',
    );
    await Promise.all([cluster.start('scheduler'), cluster.start('volume')]);
    await again.available((await again.create()).id);
    await until(async () => {
      const { volumes } = await again.usage();
      return volumes[0] === 2 && volumes[1] === 0 ? true : undefined;
    }, 'quota to be as the records say');
  },
);

/** How it ended; said in words when it did not. */
async function codeOf(process: ClusterProcess): Promise<number | string> {
  return Promise.race([process.ended(), delay(30_000, 'still there', { ref: false })]);
}
