// usage: npm test [-- FILE... | --match=TITLE | any option of AVA]    prepares what is missing and runs the tests

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { cacheFolder } from './cache.mjs';
import { filesBelow } from './freshness.mjs';
import { redisServer } from './install-redis.mjs';
import { prepare, ROOT, TO_TEST } from './prepare.mjs';
import { fileTimes, isGood, readTap, summary } from './tap.mjs';

const OVERALL_DEADLINE_MS = 25 * 60_000;
/** How long AVA may take to end after its last word; a test that leaves something open would hold it for ever. */
const EXIT_DEADLINE_MS = 15_000;
const KILL_AFTER_MS = 5_000;

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
const { counts, exitCode } = await runTests(process.argv.slice(2).map(compiledTest));
if (mustNotSkip && counts.skipped > 0) say('CI skips nothing: this run has failed.');
say(summary(counts));
process.exit(isGood(counts, { mustNotSkip }) && exitCode === 0 ? 0 : 1);

/** The tests' programs: what setup-test.mjs brought comes first, and a redis-server is always there. */
async function testEnvironment() {
  const path = [join(cacheFolder(process.env), 'bin'), process.env.PATH].join(delimiter);
  const redis = await redisServer({ env: process.env, say });
  return { ...process.env, PATH: path, CINDER_REDIS_SERVER: redis, FORCE_COLOR: '0' };
}

/** test/quota/quota.test.ts → build/test/quota/quota.test.js; anything else is AVA's business. */
function compiledTest(argument) {
  const path = relative(ROOT, resolve(argument));
  return /^test\/.*\.test\.ts$/.test(path) ? join('build', path.replace(/\.ts$/, '.js')) : argument;
}

async function runTests(args) {
  const startedAt = Date.now();
  const ava = spawn(process.execPath, [join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'), '--tap', ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a process group of its own, so that its end ends all that the tests started
  });
  const stop = stopper(ava);
  const overall = setTimeout(() => {
    say(`The tests did not end within ${OVERALL_DEADLINE_MS / 60_000} minutes.`);
    stop();
  }, OVERALL_DEADLINE_MS);
  let lastWord;

  const tap = readTap((failure) => say(`\n${failure}`));
  createInterface({ input: ava.stdout }).on('line', (line) => {
    tap.line(line, Date.now() - startedAt);
    if (line.startsWith('# fail ')) lastWord ??= setTimeout(stop, EXIT_DEADLINE_MS);
  });
  const exitCode = await new Promise((settle) => {
    ava.on('error', (error) => {
      say(`AVA cannot be run: ${error.message}`);
      settle(1);
    });
    ava.on('close', (code) => settle(code ?? 1));
  });
  clearTimeout(overall);
  clearTimeout(lastWord);
  stop();
  return { counts: await report(tap.end(), exitCode), exitCode };
}

async function report({ counts, isWhole, skipped, seen }, exitCode) {
  if (skipped.length > 0) say(`\nSkipped:\n${skipped.map((title) => `  ${title}`).join('\n')}`);
  const { default: config } = await import('../ava.config.js');
  const folder = join(ROOT, 'build/test');
  const files = existsSync(folder) ? filesBelow(folder).map((file) => relative(ROOT, file)) : [];
  const slowest = fileTimes(seen, { files, places: config.concurrency }).slice(0, 5);
  if (slowest.length > 0) {
    say(`\nSlowest files:\n${slowest.map(({ file, ms }) => `  ${(ms / 1_000).toFixed(1)} s  ${file}`).join('\n')}`);
  }
  say('');
  if (!isWhole) say(`The test runner ended (${exitCode}) before its last word.`);
  if (counts.passed + counts.failed === 0) say('No test ran.');
  // a runner that fails without naming a test has failed all the same
  return counts.failed === 0 && (!isWhole || exitCode !== 0) ? { ...counts, failed: 1 } : counts;
}

/** Ends AVA and everything below it: asked first, killed if that is no use. Also when this process is told to end. */
function stopper(ava) {
  const group = (signal) => {
    try {
      process.kill(-ava.pid, signal);
    } catch {
      // the group is gone already
    }
  };
  const stop = () => {
    group('SIGTERM');
    setTimeout(() => group('SIGKILL'), KILL_AFTER_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      stop();
      setTimeout(() => process.exit(1), KILL_AFTER_MS + 500);
    });
  }
  return stop;
}
