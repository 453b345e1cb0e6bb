import test from 'ava';
import { claimReadings } from '#src/main/observers.js';
import type { Pools } from '#src/scheduler/pools.js';
import { createMetrics } from '#src/telemetry/metrics.js';

test('a scrape reads the claims once, of as many backends as it may, and says how many it leaves out', async (t) => {
  const metrics = createMetrics({ version: '0', streaming: new Set() });
  t.teardown(() => metrics.close());
  const asked: (readonly string[])[] = [];
  const outstanding = async (backends: readonly string[]) => {
    asked.push(backends);
    return { count: asked.length, gib: 8 };
  };
  let backendCount = 300;
  const list = () => Array.from({ length: 2 * backendCount }, (_, n) => ({ backendId: `h${n >> 1}@b#p${n % 2}` }));
  claimReadings(metrics, { outstanding }, { list } as unknown as Pick<Pools, 'list'>);
  const scraped = async () =>
    (await metrics.registry.metrics()).split('\n').filter((line) => /^cinder_scheduler_claim(s_o|ed|s_un)/.test(line));

  t.deepEqual(await scraped(), [
    'cinder_scheduler_claims_outstanding 1',
    'cinder_scheduler_claimed_gib 8',
    'cinder_scheduler_claims_unread_backends 44',
  ]);
  t.deepEqual([asked.length, asked[0]?.length], [1, 256]);

  backendCount = 3;
  t.deepEqual(await scraped(), [
    'cinder_scheduler_claims_outstanding 2',
    'cinder_scheduler_claimed_gib 8',
    'cinder_scheduler_claims_unread_backends 0',
  ]);
  t.deepEqual(asked[1], ['h0@b', 'h1@b', 'h2@b']);
});
