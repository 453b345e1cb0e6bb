import test from 'ava';
import { listPools } from '#src/api/handlers/list-pools.js';
import { type OddPool, OddPools } from '#src/scheduler/odd-pools.js';
import type { OddityKind } from '#src/scheduler/odd-figures.js';
import { Pools } from '#src/scheduler/pools.js';
import { CONTEXT } from '../casts/rows.js';
import { sqliteStore } from '../support/sql.js';
import { installed } from './deciding.js';

const SANE = { total_capacity_gb: 100, free_capacity_gb: 50, allocated_capacity_gb: 50, provisioned_capacity_gb: 50 };
const INTERVAL_MS = 60_000;

test('figures that contradict each other are named with what they are', (t) => {
  const { of } = watched();
  t.deepEqual(of({}), []);
  t.deepEqual(of({ total_capacity_gb: 'unknown', free_capacity_gb: 'infinite' }), []);
  t.deepEqual(of({ free_capacity_gb: 120 }), [
    { kind: 'contradictory', text: 'free_capacity_gb 120 is more than total_capacity_gb 100' },
  ]);
  t.deepEqual(of({ free_capacity_gb: 120, reserved_percentage: 101 }), [
    {
      kind: 'contradictory',
      text: 'free_capacity_gb 120 is more than total_capacity_gb 100; reserved_percentage 101 is more than 100',
    },
  ]);
  t.deepEqual(of({ free_capacity_gb: -5, allocated_capacity_gb: -1 }), [
    { kind: 'negative', text: 'free_capacity_gb is -5; allocated_capacity_gb is -1' },
  ]);
});

test('more allocated than provisioned is odd in three reports in a row; volumes on their way explain one or two', (t) => {
  const { at, report, odd, pools } = watched();
  const reports = (...allocated: readonly number[]): readonly (string | undefined)[] =>
    allocated.map((gib, index) => {
      at(1_000 * (1 + index));
      report({ allocated_capacity_gb: gib });
      pools.list();
      return odd.of('h@b#p')[0]?.text;
    });
  const text = 'allocated_capacity_gb 60 is more than provisioned_capacity_gb 50';
  t.deepEqual(reports(60, 60, 50, 60, 60, 60, 60, 50), [
    ...[undefined, undefined, undefined, undefined, undefined],
    ...[text, text, undefined],
  ]);
});

test('a pool on which volumes are made without end is not odd, though each report finds some that are not provisioned yet', (t) => {
  const { at, report, odd, pools } = watched();
  for (let volumes = 1; volumes <= 10; volumes += 1) {
    at(1_000 * volumes);
    report({ allocated_capacity_gb: volumes + 2, provisioned_capacity_gb: volumes });
    pools.list();
    t.deepEqual(odd.of('h@b#p'), []);
  }
});

test('a pool is stale when three reports are missing, and no longer with the next one', (t) => {
  const { at, of, report, odd } = watched();
  of({});
  at(3 * INTERVAL_MS);
  t.deepEqual(odd.of('h@b#p'), []);
  at(3 * INTERVAL_MS + 1);
  t.deepEqual(odd.of('h@b#p'), [{ kind: 'stale', text: 'last reported 180 s ago' }]);
  report({});
  t.deepEqual(odd.of('h@b#p'), []);
  t.deepEqual(odd.of('gone@b#p'), []);
});

test('what a volume was placed on since does not make a report younger', (t) => {
  const { at, report, odd, pools } = watched();
  report({});
  at(4 * INTERVAL_MS);
  pools.list();
  pools.consume('h@b#p', 1);
  t.is(odd.of('h@b#p')[0]?.kind, 'stale');
});

test('a report from the future is flagged when it is more than a period ahead', (t) => {
  const { report, odd } = watched();
  report({}, INTERVAL_MS);
  t.deepEqual(odd.of('h@b#p'), []);
  report({}, 7_200_000);
  t.deepEqual(odd.of('h@b#p'), [{ kind: 'clock_ahead', text: "reported 7200 s ahead of the scheduler's clock" }]);
});

test('a pool that is listed twice is flagged until it is listed once', (t) => {
  const { pools, odd, report } = watched();
  const pool = { ...SANE, pool_name: 'p' };
  pools.report({ host: 'h@b', clusterName: null, timestamp: 0, capabilities: { pools: [pool, pool, pool] } });
  t.deepEqual(odd.of('h@b#p'), [{ kind: 'listed_twice', text: 'its backend lists it 3 times; the last one counts' }]);
  report({});
  t.deepEqual(odd.of('h@b#p'), []);
});

test('what is odd is told once while it lasts, and counted always', (t) => {
  const { at, report, odd, news } = watched();
  report({ free_capacity_gb: 120 });
  odd.look();
  t.deepEqual(news.splice(0), [
    ['contradictory', [{ pool: 'h@b#p', text: 'free_capacity_gb 120 is more than total_capacity_gb 100' }]],
  ]);
  at(20_000);
  report({ free_capacity_gb: 130 }, 20_000);
  odd.look();
  t.deepEqual(news, [], 'still the same');
  t.is(odd.counts().get('contradictory'), 1);
  t.is(odd.counts().get('stale'), 0);
  at(40_000);
  report({}, 40_000);
  odd.look();
  at(60_000);
  report({ free_capacity_gb: 120 }, 60_000);
  odd.look();
  t.is(news.length, 1, 'it has come back');
});

test('looks are seconds apart, however often they are asked for', (t) => {
  const { at, report, odd, news } = watched();
  odd.look();
  report({ free_capacity_gb: 120 });
  at(9_999);
  odd.look();
  t.is(news.length, 0);
  at(10_000);
  odd.look();
  t.is(news.length, 1);
});

test('GetPools names the oddities of each pool', async (t) => {
  const { client } = await installed(t, await sqliteStore(t), { 'h1@b': { free_capacity_gb: 120 }, 'h2@b': {} });
  const { pools } = await client.getPools(CONTEXT, new Map());
  t.deepEqual(
    pools.map(({ name, oddities }) => [name, oddities]),
    [
      ['h1@b#p', [{ kind: 'contradictory', text: 'free_capacity_gb 120 is more than total_capacity_gb 100' }]],
      ['h2@b#p', []],
    ],
  );
});

test('ListPools tells them to those who ask for details', async (t) => {
  const oddities = [{ kind: 'stale', text: 'last reported 200 s ago' }];
  const scheduler = { getPools: () => Promise.resolve({ pools: [{ name: 'h@b#p', capabilities: {}, oddities }] }) };
  const list = listPools({ scheduler });
  const call = { context: CONTEXT, deadline: Infinity, signal: new AbortController().signal } as Parameters<
    typeof list
  >[1];
  t.like(await list({ detail: true, name: '' }, call), { pools: [{ oddities }] });
  t.deepEqual(await list({ detail: false, name: '' }, call), {
    pools: [{ name: 'h@b#p', capabilities: undefined, oddities: [] }],
  });
});

/** One backend with one pool, `h@b#p`, that reports every minute. */
function watched() {
  let now = 0;
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => now });
  const flags = { clusterName: null, availabilityZone: 'nova', up: true, disabled: false, frozen: false };
  pools.setServices([{ ...flags, host: 'h@b' }]);
  const news: (readonly [OddityKind, readonly OddPool[]])[] = [];
  const odd = new OddPools({
    ...{ pools, now: () => now, intervalMs: INTERVAL_MS },
    onNews: (kind, odd) => news.push([kind, odd]),
  });
  const report = (figures: object, timestamp = now): void => {
    const pool = { ...SANE, pool_name: 'p', ...figures };
    pools.report({ host: 'h@b', clusterName: null, timestamp, capabilities: { pools: [pool] } });
    pools.list();
  };
  return {
    ...{ pools, odd, news, report },
    at: (time: number) => void (now = time),
    of: (figures: object) => (report(figures), odd.of('h@b#p')),
  };
}
