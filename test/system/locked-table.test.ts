import { type ServiceError, status as Code } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import pg from 'pg';
import { refusalIn } from '../support/api.js';
import { cli } from '../support/cli.js';
import { clusterFor } from '../support/cluster.js';
import { until } from '../support/installation.js';
import { postgresTest, postgresUrl } from '../support/sql.js';

/** A statement is given up after 10 s; the rest is for a slow machine. */
const STATEMENT_MS = 10_000 + 4_000;
const PATIENT_MS = 30_000;

postgresTest(
  'while a table is locked requests come back in time and half done is nothing; then all goes on',
  async (t) => {
    t.timeout(240_000);
    const url = await postgresUrl(t);
    const cluster = await clusterFor(t, { CINDER_DATABASE_URL: url, CINDER_SERVICE_DOWN_TIME: '120' });
    const api = await cluster.start('api');
    const processes = [api, ...(await Promise.all([cluster.start('scheduler'), cluster.start('volume')]))];
    const client = cluster.client(api);
    const { id: first } = await client.available((await client.create()).id);
    const { id: second } = await client.create(); // its work is on its way when the table is locked

    const lock = await lockedTable(t, url);
    const begun = performance.now();
    const hasty = t.throwsAsync<ServiceError>(client.create({}, 3_000)).then((error) => {
      t.is(error.code, Code.DEADLINE_EXCEEDED);
      t.true(performance.now() - begun < 5_000, 'by the deadline of its caller');
    });
    const refusals = [
      client.get(first),
      client.list(),
      client.delete(first),
      client.create({}, PATIENT_MS),
      client.create({}, PATIENT_MS),
    ].map(async (asked) => {
      const error = await t.throwsAsync<ServiceError>(asked);
      t.like(refusalIn(error), { code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', retryMs: 1_000 });
      t.true(performance.now() - begun < STATEMENT_MS, 'before the deadline of its caller');
    });
    await Promise.all([hasty, ...refusals]);

    const waiting = [client.create({}, PATIENT_MS), client.create({}, PATIENT_MS)];
    await lock.isWaitedForBy(/^insert into "volumes"/, 2);
    await lock.release();
    const made = [first, second, ...(await Promise.all(waiting)).map(({ id }) => id)];

    for (const id of made) await client.available(id);
    t.deepEqual(
      (await client.list()).map(({ id }) => id).sort(),
      made.toSorted(),
      'of what was refused there is nothing',
    );
    await until(async () => {
      const { volumes } = await client.usage();
      return volumes[0] === made.length && volumes[1] === 0 ? true : undefined;
    }, 'what was refused to be given back');
    const environment = { CINDER_API: api.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
    await until(async () => ((await cli(['doctor'], { environment })).code === 0 ? true : undefined), 'all to agree');
    for (const { child } of processes) t.is(child.exitCode, null);
  },
);

/** Locks the volumes against readers and writers, as an operator's statement may. Released with the test. */
async function lockedTable(t: ExecutionContext, url: string) {
  const holder = await connected(t, url);
  const observer = await connected(t, url);
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE volumes IN ACCESS EXCLUSIVE MODE');
  return {
    release: () => holder.query('COMMIT'),
    isWaitedForBy: (text: RegExp, count: number) =>
      until(async () => {
        const { rows } = await observer.query<{ query: string }>(
          "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        );
        return rows.filter(({ query }) => text.test(query)).length >= count ? true : undefined;
      }, `${count} statements to wait for the lock`),
  };
}

async function connected(t: ExecutionContext, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}
