import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import test from 'ava';

import { withLock } from '#scripts/lock.mjs';
import { folderFor } from '../support/folder.js';

const QUIET = { deadlineMs: 10_000, say: () => undefined };

test('what two do under one lock never overlaps', async (t) => {
  const path = join(await folderFor(t), 'lock');
  let inside = 0;
  let most = 0;

  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(path, work, QUIET)));

  t.is(most, 1);
  t.false(existsSync(path));
});

test('the lock of a dead process is broken, once, and leaves no file behind', async (t) => {
  const folder = await folderFor(t);
  const path = join(folder, 'lock');
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  await writeFile(path, `${dead.pid} 5f0c`);

  const answers = await Promise.all([1, 2, 3].map((answer) => withLock(path, async () => answer, QUIET)));

  t.deepEqual(answers, [1, 2, 3]);
  t.deepEqual(readdirSync(folder), []);
});

test('the lock of a living process is waited for, said once, and given up at the deadline with its pid', async (t) => {
  const path = join(await folderFor(t), 'lock');
  const said: string[] = [];
  await writeFile(path, `${process.pid} 5f0c`);

  const waiting = withLock(path, async () => undefined, { deadlineMs: 350, say: (line: string) => said.push(line) });

  await t.throwsAsync(waiting, { message: new RegExp(`^Process ${process.pid} still holds `) });
  t.is(said.length, 1);
  t.true(existsSync(path));
});

test('the lock is given back when the work fails', async (t) => {
  const path = join(await folderFor(t), 'lock');

  await t.throwsAsync(
    withLock(path, () => Promise.reject(new Error('no network')), QUIET),
    { message: 'no network' },
  );

  t.is(await withLock(path, async () => 'next', QUIET), 'next');
});
