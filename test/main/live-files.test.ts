import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '#src/config/load.js';
import { configuredFiles, LiveFiles } from '#src/main/live-files.js';
import { Reloads } from '#src/main/reload.js';
import { folderFor } from '../support/folder.js';
import { recordingLog } from '../support/redis.js';
import { until } from '../support/rpc.js';

/** Numbers in a file, looked at a hundred times a second: it is written at once, so that no look finds it half written. */
async function numbersFor(t: ExecutionContext) {
  const path = join(await folderFor(t), 'number');
  writeFileSync(path, '1');
  let reads = 0;
  const log = recordingLog();
  const at = { path };
  const files = new LiveFiles({
    name: 'number',
    files: () => [at.path],
    read() {
      reads++;
      const number = Number(readFileSync(at.path, 'utf8'));
      if (Number.isNaN(number)) throw new Error('no number');
      return number;
    },
    log,
    intervalMs: 10,
  });
  t.teardown(() => files.close());
  return { files, path, at, log, reads: () => reads };
}

test('a changed file is read once it has settled, and whoever asked is told', async (t) => {
  const { files, path, reads } = await numbersFor(t);
  const told: number[] = [];
  files.onChange((value) => told.push(value));
  files.watch();

  writeFileSync(path, '22');
  await until('the change', () => files.value === 22);
  t.deepEqual(told, [22]);
  await rm(path);
  writeFileSync(path, '333');
  await until('the replacement', () => files.value === 333);
  t.is(reads(), 3, 'a file that did not change is not read');
});

test('a file that cannot be used leaves the last value, with one line in the log, and is used once it is mended', async (t) => {
  const { files, path, log } = await numbersFor(t);
  files.watch();

  writeFileSync(path, 'one');
  await until('a line in the log', () => log.lines.length > 0);
  t.like(log.lines[0], { level: 'error', fields: { part: 'number' } });
  t.is(files.value, 1);

  writeFileSync(path, '2222');
  await until('the mended file', () => files.value === 2222);
  t.is(log.lines.filter(({ level }) => level === 'error').length, 1);
});

test('a file that could not be read is read once it may be, though nobody writes it again', async (t) => {
  const path = join(await folderFor(t), 'secret');
  writeFileSync(path, '1', { mode: 0o600 });
  const log = recordingLog();
  const files = new LiveFiles({
    name: 'secret',
    files: () => [path],
    read() {
      // tests may run as one who may read everything
      if ((statSync(path).mode & 0o400) === 0) throw new Error('EACCES');
      return readFileSync(path, 'utf8');
    },
    ...{ log, intervalMs: 10 },
  });
  t.teardown(() => files.close());
  files.watch();

  await rm(path);
  writeFileSync(path, '2', { mode: 0o200 });
  await until('a line in the log', () => log.lines.length > 0);
  await chmod(path, 0o600);
  await until('the file that may be read', () => files.value === '2');
  t.is(files.value, '2');
});

test('a reload reads at once, from where the value stands then, and throws what is wrong', async (t) => {
  const { files, at, path } = await numbersFor(t);
  at.path = `${path}.other`;
  t.throws(() => files.reload(), { code: 'ENOENT' });
  t.is(files.value, 1);

  writeFileSync(at.path, '5');
  files.reload();
  t.is(files.value, 5);
});

test('a file that is unusable at first is an error', async (t) => {
  const path = join(await folderFor(t), 'nothing');
  const read = (): string => readFileSync(path, 'utf8');
  t.throws(() => new LiveFiles({ name: 'x', files: () => [path], read, log: recordingLog() }), { code: 'ENOENT' });
});

test('files that a reload cannot use leave those of before in force, and what changes in them is still seen', async (t) => {
  const folder = await folderFor(t);
  const [good, missing] = [join(folder, 'good'), join(folder, 'missing')];
  writeFileSync(good, '1');
  const configOf = (file: string) =>
    loadConfig({ environment: { CINDER_AUTH_TOKENS_FILE: file }, hostname: 'node1', home: '/nonexistent' }).config;
  const [config, next] = [configOf(good), configOf(missing)];
  const log = recordingLog();
  const reloads = new Reloads(log, config, () => next);
  const files = configuredFiles({
    ...{ name: 'number', config, reloads, log, intervalMs: 10 },
    options: ['authTokensFile'],
    files: ({ authTokensFile = '' }) => [authTokensFile],
    read: ({ authTokensFile = '' }) => Number(readFileSync(authTokensFile, 'utf8')),
  });
  files.watch();
  t.teardown(() => files.close());

  await reloads.run();
  t.like(log.lines[0], { level: 'error', fields: { part: 'number' } });
  t.is(files.value, 1);

  writeFileSync(good, '22');
  await until('the change', () => files.value === 22);
});
