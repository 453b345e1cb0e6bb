import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { dependenciesAreStale, fingerprint, isStale, remember, removeOrphans } from '#scripts/freshness.mjs';
import { folderFor } from '../support/folder.js';

const LONG_AGO = new Date('2020-01-01');

async function treeFor(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const root = await folderFor(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), content);
  }
  return root;
}

async function madeStepFor(t: ExecutionContext): Promise<Parameters<typeof isStale>[0]> {
  const root = await treeFor(t, { 'proto/a.proto': 'a', 'proto/deep/b.proto': 'b', 'dist/out': '', 'buf.yaml': 'x' });
  const step = { root, stamp: 'cache/stamp', inputs: ['proto', 'buf.yaml'], outputs: ['dist/out'] };
  remember(step, fingerprint(root, step.inputs));
  return step;
}

test('a step that was never done is stale, and one just done is not', async (t) => {
  const step = await madeStepFor(t);

  t.false(isStale(step));
  t.true(isStale({ ...step, stamp: 'cache/other' }));
});

test('a step is stale when an input changes, comes, goes or is renamed, and fresh again when it is put back', async (t) => {
  const step = await madeStepFor(t);
  const file = join(step.root, 'proto/deep/b.proto');

  await writeFile(file, 'changed');
  t.true(isStale(step));
  await writeFile(file, 'b');
  t.false(isStale(step));

  await writeFile(join(step.root, 'proto/c.proto'), '');
  t.true(isStale(step));
  await rm(join(step.root, 'proto/c.proto'));
  t.false(isStale(step));

  await rm(file);
  t.true(isStale(step));
  await writeFile(join(step.root, 'proto/deep/renamed.proto'), 'b');
  t.true(isStale(step));
});

test('a step is not stale because of a date alone', async (t) => {
  const step = await madeStepFor(t);

  await utimes(join(step.root, 'proto/a.proto'), new Date(), new Date());

  t.false(isStale(step));
});

test('a step is stale when its output is gone', async (t) => {
  const step = await madeStepFor(t);

  await rm(join(step.root, 'dist/out'));

  t.true(isStale(step));
});

test('dependencies are stale when there are none, and when an installation was broken off', async (t) => {
  const root = await treeFor(t, { 'package-lock.json': '{}', 'node_modules/left-pad/index.js': '' });

  t.true(dependenciesAreStale(root, 'cache/dependencies'));
});

test('dependencies are stale when the lock is newer and has other content than the one installed', async (t) => {
  const root = await treeFor(t, { 'package-lock.json': '{}', 'node_modules/.package-lock.json': '{}' });
  const stamp = 'cache/dependencies';
  const lock = join(root, 'package-lock.json');

  await utimes(lock, LONG_AGO, LONG_AGO);
  t.false(dependenciesAreStale(root, stamp), 'older than what is installed');

  await utimes(lock, new Date(), new Date(Date.now() + 60_000));
  t.true(dependenciesAreStale(root, stamp), 'newer, and nobody knows what was installed');

  remember({ root, stamp }, fingerprint(root, ['package-lock.json']));
  t.false(dependenciesAreStale(root, stamp), 'newer, but the same, as after a checkout');

  await writeFile(lock, '{"changed": true}');
  await utimes(lock, new Date(), new Date(Date.now() + 60_000));
  t.true(dependenciesAreStale(root, stamp), 'newer and other');
});

test('what was compiled from a source that is gone is removed, everything else stays', async (t) => {
  const root = await treeFor(t, {
    'test/kept.test.ts': '',
    'build/test/kept.test.js': '',
    'build/test/gone.test.js': '',
    'build/test/gone.test.js.map': '',
    'build/test/gone.test.d.ts': '',
    'build/test/data.json': '',
  });

  removeOrphans(join(root, 'build/test'), join(root, 'test'));
  removeOrphans(join(root, 'build/none'), join(root, 'test'));

  const left = ['kept.test.js', 'gone.test.js', 'gone.test.js.map', 'gone.test.d.ts', 'data.json'];
  t.deepEqual(
    left.filter((name) => existsSync(join(root, 'build/test', name))),
    ['kept.test.js', 'data.json'],
  );
});
