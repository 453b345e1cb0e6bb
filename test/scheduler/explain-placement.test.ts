import test from 'ava';
import { PlacementOutcome } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { RequestSpec } from '#src/objects/request-spec.js';
import { requestSpecToWire } from '#src/rpc/objects-on-the-wire.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { explainPlacement } from '#src/scheduler/handlers/explain-placement.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { Pools } from '#src/scheduler/pools.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { CONTEXT } from '../casts/rows.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';

test('each pool is told its rank and weights, or the filter that rejected it and why', async (t) => {
  const { explain, choose } = explaining({ 'h1@b': { p: 10, q: 30, r: 20, s: 1 } });
  const answer = await explain({ sizeGib: 5 });

  t.is(answer.outcome, PlacementOutcome.PLACEABLE);
  t.is(answer.summary, '3 of 4 pools would do; h1@b#q is the best.');
  t.deepEqual(answer.filters, [
    { filter: 'AvailabilityZoneFilter', poolCount: 4, rejectedCount: 0 },
    { filter: 'CapacityFilter', poolCount: 4, rejectedCount: 1 },
    { filter: 'CapabilitiesFilter', poolCount: 3, rejectedCount: 0 },
  ]);
  t.deepEqual(
    answer.pools.map(({ name, rank, weight, rejectedBy }) => [name, rank, weight, rejectedBy]),
    [
      ['h1@b#q', 1, 1, undefined],
      ['h1@b#r', 2, 0.5, undefined],
      ['h1@b#p', 3, 0, undefined],
      ['h1@b#s', undefined, undefined, 'CapacityFilter'],
    ],
  );
  t.deepEqual(answer.pools[1]?.weights, [{ weigher: 'CapacityWeigher', multiplier: 1, raw: 20, normalised: 0.5 }]);
  t.regex(answer.pools[3]?.reason ?? '', /^has room for 1 GiB, 5 GiB are asked for/);
  t.is(choose(5), 'h1@b#q', 'nothing was taken, and the decision is the one explained');
});

test('the weights of a pool, each times its multiplier, are its weight', async (t) => {
  const { explain } = explaining({ 'h1@b': { p: 10, q: 30, r: 17 } }, ['CapacityWeigher', 'AllocatedCapacityWeigher']);
  for (const { weight, weights } of (await explain({ sizeGib: 1 })).pools) {
    t.is(weights.length, 2);
    const sum = weights.reduce((total, { multiplier, normalised }) => total + multiplier * normalised, 0);
    t.true(Math.abs(sum - (weight ?? NaN)) < 1e-12);
  }
});

test('"nobody is there", "nobody has reported" and "all were rejected" are three answers', async (t) => {
  const outcomeOf = async (backends: Backends, sizeGib = 5) => {
    const { outcome, summary } = await explaining(backends).explain({ sizeGib });
    return [outcome, summary.slice(0, 36)];
  };
  t.deepEqual(await outcomeOf({}), [PlacementOutcome.NO_BACKENDS, 'No storage backend is up and enabled']);
  t.deepEqual(await outcomeOf({ 'h1@b': undefined }), [
    PlacementOutcome.NO_REPORTS,
    'No storage pool has reported yet. 1 ',
  ]);
  t.deepEqual(await outcomeOf({ 'h1@b': { p: 1 } }), [
    PlacementOutcome.REJECTED,
    '1 pool. CapacityFilter rejected 1 of',
  ]);
});

test('a pool where the volume may not be is said to be elsewhere, however good it is', async (t) => {
  const { explain } = explaining({ 'h1@b': { p: 100 }, 'h2@b': { p: 10 } });
  const answer = await explain({ sizeGib: 5, resourceBackend: 'h2@b' });
  t.deepEqual(
    answer.pools.map(({ name, rank, rejectedBy, reason }) => [name, rank, rejectedBy, reason]),
    [
      ['h2@b#p', 1, undefined, undefined],
      ['h1@b#p', undefined, 'resource_backend', 'is not on h2@b'],
    ],
  );
});

test('of many pools as many are named as were asked for, and all are counted', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`p${index}`, index % 2 === 0 ? 10 : 1]));
  const { explain } = explaining({ 'h1@b': many });
  const answer = await explain({ sizeGib: 5 }, 7);
  t.is(answer.pools.length, 14);
  t.is((await explain({ sizeGib: 5 })).pools.length, 200);
  t.deepEqual(answer.filters[1], { filter: 'CapacityFilter', poolCount: 300, rejectedCount: 150 });
});

test('a request that says nothing is refused by name', async (t) => {
  const { explain } = explaining({});
  await t.throwsAsync(explain(undefined), { name: 'InvalidInput', message: /request_spec/ });
});

/** GiB free by backend and pool; undefined: up, but silent. */
type Backends = Readonly<Record<string, Readonly<Record<string, number>> | undefined>>;

function explaining(backends: Backends, weighers: readonly string[] = ['CapacityWeigher']) {
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => 1_000 });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false, availabilityZone: 'nova' };
  pools.setServices(Object.keys(backends).map((host) => ({ ...flags, host })));
  for (const [host, free] of Object.entries(backends)) {
    if (!free) continue;
    const made = Object.entries(free).map(([pool_name, gib], index) => ({
      ...{ pool_name, total_capacity_gb: gib, free_capacity_gb: gib, allocated_capacity_gb: index },
      provisioned_capacity_gb: 0,
    }));
    pools.report({ host, clusterName: null, timestamp: 1, capabilities: { pools: made } });
  }
  const scheduler = new FilterScheduler({
    pools,
    filters: filtersByName(DEFAULT_FILTERS, { functions: new Functions() }),
    weighers: weighersByName(weighers, weigherParts()),
    weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
    maxAttempts: 3,
  });
  const handler = explainPlacement({ scheduler, lookUp: () => NO_SURROUNDINGS });
  const call = {
    ...{ context: CONTEXT, target: '', version: '3.12', deadline: Infinity, signal: new AbortController().signal },
  };
  const specOf = ({ sizeGib, ...more }: { sizeGib: number; resourceBackend?: string }): RequestSpec => {
    const volumeProperties = { sizeGib, metadata: new Map(), qosSpecs: new Map(), multiattach: false };
    return { volumeId: 'v', volumeProperties, availabilityZones: [], ...more };
  };
  return {
    explain: (wanted: Parameters<typeof specOf>[0] | undefined, limit = 0) =>
      handler({ requestSpec: wanted && requestSpecToWire(specOf(wanted)), filterProperties: undefined, limit }, call),
    choose: (sizeGib: number): string => {
      const choice = scheduler.choose(scheduler.begin(specOf({ sizeGib }), { schedulerHints: new Map() }));
      return 'placement' in choice ? choice.placement.host : 'none';
    },
  };
}
