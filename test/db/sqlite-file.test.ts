import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { sql } from 'kysely';
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';
import { folderFor } from '../support/folder.js';

const WRITER = new URL('../support/sqlite-writer.js', import.meta.url);
const names = statement()(({ db }) => db.selectFrom('secrets').select('name').orderBy('name'));
const integrity = statement()(({ db }) =>
  db
    .selectFrom(sql<{ integrity_check: string }>`pragma_integrity_check`.as('check'))
    .select('check.integrity_check as answer'),
);

/** Starts a process that writes pairs of rows to the file and says what was acknowledged. */
function startWriter(path: string) {
  const child = spawn(process.execPath, [WRITER.pathname, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

test('a killed process leaves a file with every unit that was acknowledged, and none in part', async (t) => {
  const path = join(await folderFor(t), 'cinder.db');
  const { child, lines } = startWriter(path);
  t.teardown(() => child.kill('SIGKILL'));
  const acknowledged: string[] = [];
  while (acknowledged.length < 300) acknowledged.push(((await lines.next()) as { value: string }).value);
  child.kill('SIGKILL');
  for (let line = await lines.next(); !line.done; line = await lines.next()) acknowledged.push(line.value);

  const store = await openStore(`sqlite:${path}`); // at once: the lock went with the process
  t.teardown(() => store.close());
  const kept = new Set((await store.read(names.with({}))).map(({ name }) => name));
  t.deepEqual(
    acknowledged.filter((name) => !kept.has(`${name}.a`) || !kept.has(`${name}.b`)),
    [],
  );
  t.deepEqual(
    [...kept].filter((name) => !kept.has(name.replace(/.$/, (end) => (end === 'a' ? 'b' : 'a')))),
    [],
  );
  t.deepEqual(await store.read(integrity.with({})), [{ answer: 'ok' }]);
});

test('a second process is refused with a sentence that names PostgreSQL', async (t) => {
  const path = join(await folderFor(t), 'cinder.db');
  const { child, lines } = startWriter(path);
  t.teardown(() => child.kill('SIGKILL'));
  await lines.next();
  const opening = openStore(`sqlite:${path}`, { sqlite: { lockTimeoutMs: 200 } });
  const error = await t.throwsAsync(opening, { name: 'DatabaseInUse' });
  t.regex(error.message, /PostgreSQL/);
});

test('a second opener in the same process is refused too, until the first has closed', async (t) => {
  const path = join(await folderFor(t), 'cinder.db');
  const first = await openStore(`sqlite:${path}`);
  await t.throwsAsync(openStore(`sqlite:${path}`, { sqlite: { lockTimeoutMs: 0 } }), { name: 'DatabaseInUse' });
  const second = openStore(`sqlite:${path}`);
  await first.close();
  await t.notThrowsAsync(async () => (await second).close());
});

test('a closed database is one file, ready to be copied', async (t) => {
  const folder = await folderFor(t);
  const store = await openStore(`sqlite:${join(folder, 'cinder.db')}`);
  t.true((await readdir(folder)).includes('cinder.db-wal'));
  await store.close();
  t.deepEqual(await readdir(folder), ['cinder.db']);
});

test('a path that cannot be a database is DatabaseUnavailable', async (t) => {
  await t.throwsAsync(openStore('sqlite:/dev/null/cinder.db'), { name: 'DatabaseUnavailable' });
});
