// usage: npm test [-- FILE... | --match=TITLE | any option of AVA]    prepares what is missing and runs the tests

import { existsSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';

import { runAva } from './ava-run.mjs';
import { cacheFolder } from './cache.mjs';
import { filesBelow } from './freshness.mjs';
import { redisServer } from './install-redis.mjs';
import { prepare, ROOT, TO_TEST } from './prepare.mjs';
import { fileTimes, isGood, summary, total } from './tap.mjs';
import { ALONE, testRuns } from './test-runs.mjs';

/** A guard against tests that never end: twice what a machine of two cores takes, and more. */
const OVERALL_DEADLINE_MS = 60 * 60_000;

const say = (line) => console.log(line);

let env;
try {
  await prepare(TO_TEST, say);
  env = await testEnvironment();
} catch (error) {
  say(error.message);
  say(summary({ passed: 0, failed: 1, skipped: 0 }));
  process.exit(1);
}

const mustNotSkip = process.env.CI === 'true';
const endsAt = Date.now() + OVERALL_DEADLINE_MS;
const runs = [];
for (const { config, args } of testRuns(process.argv.slice(2), ROOT)) {
  const avaArgs = ['--config', config, ...args];
  runs.push({ config, ...(await runAva({ args: avaArgs, cwd: ROOT, env, endsAt, say })) });
}
const skipped = runs.flatMap((run) => run.skipped);
if (skipped.length > 0) say(`\nSkipped:\n${skipped.map((title) => `  ${title}`).join('\n')}`);
await saySlowest();
say('');
const counts = total(runs.map(countsOf));
if (mustNotSkip && counts.skipped > 0) say('CI skips nothing: this run has failed.');
say(summary(counts));
process.exit(isGood(counts, { mustNotSkip }) ? 0 : 1);

/** The tests' programs: what setup-test.mjs brought comes first, and a redis-server is always there. */
async function testEnvironment() {
  const path = [join(cacheFolder(process.env), 'bin'), process.env.PATH].join(delimiter);
  const redis = await redisServer({ env: process.env, say });
  return { ...process.env, PATH: path, CINDER_REDIS_SERVER: redis, FORCE_COLOR: '0' };
}

async function saySlowest() {
  const folder = join(ROOT, 'build/test');
  const all = existsSync(folder) ? filesBelow(folder).map((file) => relative(ROOT, file)) : [];
  const tests = all.filter((file) => file.endsWith('.test.js'));
  const times = [];
  for (const { config, seen } of runs) {
    const { concurrency } = (await import(`../${config}`)).default;
    const files = tests.filter((file) => file.startsWith(ALONE) === (config === 'ava-alone.config.js'));
    times.push(...fileTimes(seen, { files, places: concurrency }));
  }
  const slowest = times.toSorted((a, b) => b.ms - a.ms).slice(0, 5);
  if (slowest.length === 0) return;
  say(`\nSlowest files:\n${slowest.map(({ file, ms }) => `  ${(ms / 1_000).toFixed(1)} s  ${file}`).join('\n')}`);
}

/** A runner that fails without naming a test has failed all the same. */
function countsOf({ counts, isWhole, exitCode }) {
  if (!isWhole) say(`The test runner ended (${exitCode}) before its last word.`);
  if (counts.passed + counts.failed === 0) say('No test ran.');
  return counts.failed === 0 && (!isWhole || exitCode !== 0) ? { ...counts, failed: 1 } : counts;
}
