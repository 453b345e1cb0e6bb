import test from 'ava';

import { testRuns } from '#scripts/test-runs.mjs';
import { ROOT } from '../support/process.js';

const TOGETHER = 'ava.config.js';
const ALONE = 'ava-alone.config.js';

const runs = (...args: string[]): unknown => testRuns(args, ROOT).map(({ config, args }) => [config, ...args]);

test('without arguments the tests that need the machine for themselves run after all others', (t) => {
  t.deepEqual(runs(), [[TOGETHER], [ALONE]]);
});

test('a named file runs compiled, in the run it belongs to, and nothing else does', (t) => {
  t.deepEqual(runs('test/quota/quota.test.ts'), [[TOGETHER, 'build/test/quota/quota.test.js']]);
  t.deepEqual(runs('test/alone/chaos.test.ts'), [[ALONE, 'build/test/alone/chaos.test.js']]);
  t.deepEqual(runs('build/test/alone/chaos.test.js'), [[ALONE, 'build/test/alone/chaos.test.js']]);
  t.deepEqual(runs('test/alone/chaos.test.ts', 'test/db/migrate.test.ts'), [
    [TOGETHER, 'build/test/db/migrate.test.js'],
    [ALONE, 'build/test/alone/chaos.test.js'],
  ]);
});

test('options of the runner go to each run; alone they mean the tests that run together', (t) => {
  t.deepEqual(runs('--match=*quota*'), [[TOGETHER, '--match=*quota*']]);
  t.deepEqual(runs('--serial', 'test/alone/chaos.test.ts', 'test/db/migrate.test.ts'), [
    [TOGETHER, '--serial', 'build/test/db/migrate.test.js'],
    [ALONE, '--serial', 'build/test/alone/chaos.test.js'],
  ]);
});
