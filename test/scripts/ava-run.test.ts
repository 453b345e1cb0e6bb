import { symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test from 'ava';
import { runAva } from '#scripts/ava-run.mjs';
import { folderFor } from '../support/folder.js';

const FAILING = `
import test from 'ava';
test('fails with an error of the system', () => {
  throw Object.assign(new Error('read ECONNRESET'), { stack: 'Error: read ECONNRESET', address: undefined });
});
test('passes', (t) => t.pass());
`;

test('an error without a frame in its stack fails its test, and not the whole run', async (t) => {
  const folder = await folderFor(t);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'failing.test.js'), FAILING);
  const said: string[] = [];

  const { counts, isWhole } = await runAva({
    args: ['failing.test.js'],
    cwd: folder,
    env: process.env,
    endsAt: Date.now() + 60_000,
    say: (line: string) => said.push(line),
  });

  t.deepEqual(counts, { passed: 1, failed: 1, skipped: 0 });
  t.true(isWhole);
  t.regex(said.join('\n'), /not ok: fails with an error of the system[^]*read ECONNRESET/);
});
