import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'ava';
import { Client, installationFor, until } from '../support/installation.js';
import { folderFor } from '../support/folder.js';
import { CLI, findTool, processFor, ROOT } from '../support/process.js';

test('the two commands that it prints make a volume, as they are printed', async (t) => {
  const grpcurl = findTool('grpcurl');
  const installation = await installationFor(t);
  const [byGrpcurl = '', byCli = ''] = installation.process
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('  '));
  const run = async (line: string): Promise<string> => {
    const tools = grpcurl === undefined ? '' : `${dirname(grpcurl)}:`;
    const shell = processFor(t, '/bin/sh', ['-c', line], {
      cwd: ROOT,
      env: { PATH: `${dirname(process.execPath)}:${tools}${process.env['PATH'] ?? ''}` },
    });
    t.is(await shell.ended(), 0, shell.stderr());
    return shell.stdout();
  };
  t.regex(await run(byCli), /\| status +\| available/);
  if (grpcurl !== undefined) t.regex(await run(byGrpcurl), /"status": "VOLUME_STATUS_CREATING"/);
  t.is((await installation.client().list()).length, grpcurl === undefined ? 1 : 2);
});

test('a second process on the same folder is refused with a sentence that says what to do', async (t) => {
  const installation = await installationFor(t);
  const second = processFor(t, process.execPath, [CLI, 'serve', 'all'], { env: installation.environment });
  t.is(await second.ended(), 1);
  t.regex(second.stderr(), /The database file \S+cinder\.db is in use by another process\..*PostgreSQL/);
  t.notRegex(second.stderr(), /\n {4}at /, 'a sentence, not a stack');
  t.deepEqual(await installation.client().list(), [], 'the first one goes on');
});

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
  test(`nothing of it runs any more after ${signal}`, async (t) => {
    const installation = await installationFor(t);
    t.true(processesIn(installation.folder).length > 0, 'its Redis works in its folder');
    installation.process.child.kill(signal);
    t.is(await installation.process.ended(), signal === 'SIGKILL' ? signal : 0);
    await until(async () => (processesIn(installation.folder).length === 0 ? true : undefined), 'its processes to end');
    await installation.start();
    t.deepEqual(await installation.client().list(), [], 'and it can be started again');
  });
}

test('what is wrong with the configuration is all said at once, before anything starts', async (t) => {
  const folder = await folderFor(t);
  const env = { CINDER_DATA_DIR: folder, CINDER_LOG_LEVEL: 'loud', CINDER_QUOTA_VOLUMES: 'many' };
  const process_ = processFor(t, process.execPath, [CLI, 'serve'], { env });
  t.is(await process_.ended(), 1);
  t.regex(process_.stderr(), /log_level[^]*quota_volumes|quota_volumes[^]*log_level/);
  t.deepEqual(readdirSync(folder), []);
});

test('an address that is taken is said in a sentence, and nothing is left running', async (t) => {
  const installation = await installationFor(t);
  const folder = await folderFor(t);
  const env = { ...installation.environment, CINDER_DATA_DIR: folder, CINDER_API_LISTEN: installation.address };
  const second = processFor(t, process.execPath, [CLI, 'serve'], { env });
  t.is(await second.ended(), 1);
  t.true(second.stderr().includes(installation.address), second.stderr());
  await until(async () => (processesIn(folder).length === 0 ? true : undefined), 'its processes to end');
});

test('no client of a process that was stopped waits for an answer', async (t) => {
  const installation = await installationFor(t);
  const client = new Client(installation.address, 'demo', 'member');
  t.teardown(() => client.close());
  await client.list();
  t.is(await installation.stop(), 0);
  await t.throwsAsync(client.create({}, 5_000), { message: /UNAVAILABLE/ });
});

/** Ids of the processes whose command line names the folder. */
function processesIn(folder: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false; // gone in the meantime
    }
  });
}
