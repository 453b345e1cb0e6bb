import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openStore } from '#src/db/open-store.js';
import { putProcess } from '#src/db/processes.js';
import { putService } from '#src/db/services.js';
import { readyRow } from '../casts/rows.js';
import { cli, type CliResult } from '../support/cli.js';
import { folderFor } from '../support/folder.js';
import { postgresServer, postgresTest, postgresUrl } from '../support/sql.js';

/** `upgrade check` of a database, as a program reads it. */
async function checked(
  url: string,
  ...more: readonly string[]
): Promise<CliResult & { readonly rows: Record<string, string>[] }> {
  const result = await cli(['upgrade', 'check', '--database-url', url, '-f', 'json', ...more]);
  return { ...result, rows: JSON.parse(result.stdout) as Record<string, string>[] };
}

/** Registers services in a database of this test's own. */
async function installation(t: ExecutionContext, versions: Readonly<Record<string, string>>): Promise<string> {
  const url = await postgresUrl(t);
  const store = await openStore(url);
  t.teardown(() => store.close());
  for (const [binary, rpcVersion] of [...Object.entries(versions), ['cinder-api', '']] as const) {
    const run = { binary, host: 'node1', rpcVersion, objectVersion: '1.38', incarnation: randomUUID() };
    await store.apply([
      putProcess({ ...run, endpoint: '127.0.0.1:1' }),
      ...(binary === 'cinder-api'
        ? []
        : [putService({ ...run, id: randomUUID(), clusterName: null, availabilityZone: 'nova' })]),
    ]);
  }
  await readyRow(store);
  return url;
}

postgresTest('an upgrade may begin where all is well: exit code 0, and the order', async (t) => {
  const url = await installation(t, { 'cinder-scheduler': '3.9', 'cinder-volume': '3.15' });
  const { code, rows, stderr } = await checked(url);
  t.is(code, 0, stderr);
  t.deepEqual(
    rows.filter(({ Check }) => Check !== 'Order').map(({ Check, Result }) => `${Check}: ${Result}`),
    [
      ...['Database schema: Success', 'Services are up: Success', 'Versions of services: Success'],
      ...['Versions of services: Success', 'Unfinished work: Success', 'Changes of quota: Success'],
      'Pins and older versions: Success',
    ],
  );
  t.deepEqual(
    rows.filter(({ Check }) => Check === 'Order').map(({ Result, Details }) => `${Result}: ${Details}`),
    [
      'Step 1: Replace the schedulers, one at a time: node1 (3.9).',
      'Step 2: Replace the volume services, one at a time: node1 (3.15).',
      'Step 3: Replace the API processes, one at a time: node1.',
      'Step 4: Remove rpc_pins, send SIGHUP, and see with `cinder-grpc service versions` that nobody is held down.',
    ],
  );
});

postgresTest('a failure is exit code 1, and says so; a warning is not', async (t) => {
  const url = await installation(t, { 'cinder-scheduler': '4.0', 'cinder-volume': '3.20' });
  const failed = await checked(url);
  t.is(failed.code, 1);
  t.is(failed.stderr, 'An upgrade must not begin: 1 of the checks failed.\n');
  const warned = await checked(await installation(t, { 'cinder-volume': '3.20' }), '--rpc-pins', 'cinder-volume=3.15');
  t.is(warned.code, 0, warned.stderr);
  t.true(warned.rows.some(({ Result, Details }) => Result === 'Warning' && Details?.includes('3.15')));
});

postgresTest('a database that was never migrated, or is not there, is no crash', async (t) => {
  const server = await postgresServer(t);
  const { code, rows } = await checked(server.url(await server.createDatabase('template1')));
  t.is(code, 1);
  t.like(rows[0], { Check: 'Database schema', Result: 'Failure' });
  const gone = await cli(['upgrade', 'check', '--database-url', 'postgres://127.0.0.1:1/none']);
  t.is(gone.code, 1);
  t.is(gone.stdout, '');
});

test('an embedded database has no rolling upgrade, and is not touched', async (t) => {
  const { code, rows } = await checked(`sqlite:${join(await folderFor(t), 'none', 'cinder.db')}`);
  t.is(code, 0);
  t.deepEqual(
    rows.map(({ Result }) => Result),
    ['Success', 'Step 1', 'Step 2', 'Step 3'],
  );
});
