import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Pools } from '#src/scheduler/pools.js';
import { Readiness } from '#src/scheduler/readiness.js';

const EVER = new AbortController().signal;
const NEVER_MS = 3_600_000;

test('a scheduler without living backends may decide at once: there is nobody to wait for', async (t) => {
  const { readiness } = withBackends([]);
  t.true(await readiness.wait(EVER));
});

test('the last report wakes everybody who waits', async (t) => {
  const { readiness, report } = withBackends(['h1@b', 'h2@b'], { graceMs: NEVER_MS });
  const waits = [observed(readiness.wait(EVER)), observed(readiness.wait(EVER))];
  report('h1@b');
  await turn();
  t.deepEqual(
    waits.map(({ ended }) => ended()),
    [false, false],
  );
  report('h2@b');
  t.deepEqual(await Promise.all(waits.map(({ promise }) => promise)), [true, true]);
  t.true(await readiness.wait(EVER), 'and nobody waits any more');
});

test('a backend that goes away is not waited for', async (t) => {
  const { readiness, report, setBackends } = withBackends(['h1@b', 'h2@b'], { graceMs: NEVER_MS });
  const wait = observed(readiness.wait(EVER));
  report('h1@b');
  setBackends(['h1@b']);
  t.true(await wait.promise);
});

test('once one backend has reported, the others are waited for only briefly', async (t) => {
  const { readiness, report } = withBackends(['h1@b', 'h2@b'], { graceMs: 30 });
  const wait = observed(readiness.wait(EVER));
  const started = performance.now();
  report('h1@b');
  await turn();
  t.false(wait.ended());
  t.true(await wait.promise);
  const waitedMs = performance.now() - started;
  t.true(waitedMs >= 29 && waitedMs < 5_000, `${waitedMs} ms`);
});

test('reports do not put the end of the grace off', async (t) => {
  const { readiness, report } = withBackends(['h1@b', 'h2@b'], { graceMs: 60 });
  const started = performance.now();
  report('h1@b');
  const wait = observed(readiness.wait(EVER));
  while (!wait.ended()) {
    report('h1@b');
    await turn();
  }
  t.true(performance.now() - started < 5_000);
});

test('when nobody reports, waiting ends at the deadline', async (t) => {
  const { readiness } = withBackends(['h1@b'], { initWaitMs: 30 });
  const started = performance.now();
  t.true(await readiness.wait(EVER));
  t.true(performance.now() - started >= 29);
  t.true(await readiness.wait(EVER));
});

test('who is not interested any more is let go, and the others wait on', async (t) => {
  const { readiness, report } = withBackends(['h1@b']);
  const caller = new AbortController();
  const gone = new Error('gone');
  const [left, stays] = [readiness.wait(caller.signal), observed(readiness.wait(EVER))];
  caller.abort(gone);
  t.is(await t.throwsAsync(left), gone);
  t.false(stays.ended());
  report('h1@b');
  t.true(await stays.promise);
});

test('a scheduler that stops decides nothing more', async (t) => {
  const { readiness, report } = withBackends(['h1@b']);
  const wait = readiness.wait(EVER);
  readiness.stop();
  t.false(await wait);
  report('h1@b');
  t.false(await readiness.wait(EVER));
});

/** Whether a promise has ended, without waiting for it. */
function observed(promise: Promise<boolean>) {
  let ended = false;
  void promise.then(() => (ended = true));
  return { promise, ended: () => ended };
}

/** A scheduler that just started, with living backends that are silent. */
function withBackends(
  hosts: readonly string[],
  options: { readonly initWaitMs?: number; readonly graceMs?: number } = {},
) {
  let now = 0;
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => (now += 1) });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false, availabilityZone: 'nova' };
  const readiness = new Readiness({ pools, initWaitMs: NEVER_MS, ...options });
  const setBackends = (living: readonly string[]): void => {
    pools.setServices(living.map((host) => ({ ...flags, host })));
    readiness.changed();
  };
  const report = (host: string): void => {
    const pool = { pool_name: 'p', total_capacity_gb: 10, free_capacity_gb: 10 };
    pools.report({ host, clusterName: null, timestamp: (now += 1), capabilities: { pools: [pool] } });
    readiness.changed();
  };
  pools.setServices(hosts.map((host) => ({ ...flags, host })));
  return { readiness, report, setBackends };
}
