import test from 'ava';
import fc from 'fast-check';
import type { FilterProperties, RequestSpec } from '#src/objects/request-spec.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { type Filter, filtersByName } from '#src/scheduler/filters/index.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { NO, UNKNOWN, YES } from '#src/scheduler/pool-table.js';
import { Pools } from '#src/scheduler/pools.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { type Weigher, weighersByName } from '#src/scheduler/weighers/index.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';
import { decisionMaker } from './deciding.js';

const HOSTS = ['h0@b', 'h1@b', 'h2@b'];
const POOLS = ['p', 'q', 'r', 's'];
const ZONES = ['a', 'b'];
const SAME = '7f0d3f0e-0000-4000-8000-000000000001';

test('what stands ready of the pools decides as if each pool were asked, whatever was reported and placed before', (t) => {
  let [placed, failed] = [0, 0];
  fc.assert(
    fc.property(fc.array(event, { minLength: 12, maxLength: 24 }), setting, (events, choice) => {
      const [ready, asking] = [world(choice, true), world(choice, false)];
      for (const [index, each] of events.entries()) {
        const [fast, general] = [ready.happen(each, index), asking.happen(each, index)];
        t.deepEqual(fast, general);
        if ('placement' in fast) placed += 1;
        if ('fault' in fast) failed += 1;
      }
    }),
    { numRuns: 300, endOnFailure: true },
  );
  t.true(placed > 100 && failed > 20, 'the cases are worth something');
});

test('answers to the 256 kinds of request that were asked for last are remembered', (t) => {
  const { pools } = decisionMaker({ 'h@b': {} });
  const table = pools.table();
  const others = (name: string, count: number): void => {
    for (let index = 0; index < count; index += 1) table.answers(`${name} ${index}`);
  };
  table.answers('kept')[0] = YES;
  others('a', 255);
  t.is(table.answers('kept')[0], YES, 'and is the youngest again');
  others('b', 255);
  t.is(table.answers('kept')[0], YES);
  others('c', 256);
  t.is(table.answers('kept')[0], UNKNOWN);
});

test('a pool that comes or goes leaves what is known of the others', (t) => {
  const { pools } = decisionMaker({ 'h@b': {}, 'g@b': {} });
  pools.table().answers('kind').set([YES, NO]);
  const pool = { pool_name: 'p', total_capacity_gb: 100, free_capacity_gb: 10 };
  const more = { pools: [{ ...pool, pool_name: 'new', free_capacity_gb: 3 }, pool] };
  pools.report({ host: 'h@b', clusterName: null, timestamp: 2, capabilities: more });
  const table = pools.table();
  t.deepEqual(
    table.pools.map(({ backendId }) => backendId),
    ['h@b#p', 'h@b#new', 'g@b#p'],
  );
  t.deepEqual(
    [...table.answers('kind')],
    [UNKNOWN, UNKNOWN, NO],
    'of the backend that reported nothing is known any more',
  );
  t.deepEqual([...table.column('thickRoom')], [10, 3, 10]);
});

/** Anything a driver may send for a number; mostly numbers. */
const figure = fc.oneof(
  { weight: 60, arbitrary: fc.integer({ min: 0, max: 120 }) },
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 12_000 }).map((thousandths) => thousandths / 1_000) },
  { weight: 2, arbitrary: fc.constantFrom('infinite', 'unknown') },
  { weight: 1, arbitrary: fc.constantFrom(null, -5, true, '12', 'plenty', NaN, Infinity, 1e300) },
);

const pool = fc.record(
  {
    ...{ total_capacity_gb: figure, free_capacity_gb: figure, allocated_capacity_gb: figure },
    ...{ provisioned_capacity_gb: figure, reserved_percentage: fc.constantFrom(0, 0, 5, 33, 100, '10', null) },
    thin_provisioning_support: fc.constantFrom(true, true, false, 'yes', null),
    max_over_subscription_ratio: fc.constantFrom('20.0', '1.0', 1.5, 1, 4.5, 0.5, '0', 'auto', -1),
    tier: fc.constantFrom('gold', 'tin', 7, ['gold', 'tin'], null),
    online_extend_support: fc.boolean(),
    filter_function: fc.constantFrom('volume.size < 30', 'no such', null),
  },
  { requiredKeys: [] },
);

const typed = fc.record({
  tier: fc.constantFrom('gold', '<in> tin', '<or> gold <or> tin', '>= 5', 's< z'),
  thin_provisioning_support: fc.constantFrom('<is> True', '<is> False'),
  'provisioning:type': fc.constantFrom('thick', 'thin'),
});

const request = fc.record({
  sizeGib: fc.oneof(fc.constantFrom(0, 1, 10), fc.integer({ min: 0, max: 150 })),
  zones: fc.constantFrom([], [], ['a'], ZONES),
  zone: fc.constantFrom('', '', '', 'a', 'c'),
  type: fc.option(typed, { freq: 1 }),
  operation: fc.constantFrom('create_volume', 'extend_volume'),
  hint: fc.constantFrom('none', 'none', 'none', 'same_host', 'different_host', 'local_to_instance'),
  triedBefore: fc.constantFrom([], [], [], ['h0@b#p']),
  resourceBackend: fc.constantFrom('', '', '', 'h1@b', 'h2@b#q'),
  existsOn: fc.constantFrom(null, null, 'h0@b#q'),
});

const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      host: fc.constantFrom(...HOSTS),
      pools: fc
        .subarray(POOLS)
        .chain((names) => fc.tuple(fc.constant(names), fc.array(pool, { minLength: 4, maxLength: 4 }))),
      lateBy: fc.constantFrom(0, 0, 0, 2, -5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('services' as const),
      up: fc.subarray(HOSTS, { minLength: 2 }),
      zones: fc.array(fc.constantFrom(...ZONES, null), { minLength: 3, maxLength: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('choose' as const), request, spares: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('explain' as const), request }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('room' as const),
      pool: fc.constantFrom(...HOSTS.flatMap((host) => POOLS.map((name) => `${host}#${name}`))),
      gib: fc.integer({ min: -20, max: 20 }),
    }),
  },
);

const setting = fc.record({
  filters: fc.shuffledSubarray(
    [
      ...['AvailabilityZoneFilter', 'CapacityFilter', 'CapabilitiesFilter', 'DriverFilter', 'SameBackendFilter'],
      ...['DifferentBackendFilter', 'InstanceLocalityFilter', 'IgnoreAttemptedHostsFilter'],
    ],
    { minLength: 3 },
  ),
  weighers: fc.shuffledSubarray(['CapacityWeigher', 'AllocatedCapacityWeigher'], { minLength: 1 }),
  multiplier: fc.constantFrom(1, -1),
});

type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
type Asked = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** A scheduler of its own, with the columns and remembered answers, or without. */
function world({ filters: names, weighers: weigherNames, multiplier }: Setting, isReady: boolean) {
  let now = 0;
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => now });
  const filters = filtersByName(names, { functions: new Functions() });
  const weighers = weighersByName(weigherNames, weigherParts({ capacity_weight_multiplier: multiplier }));
  const counted: (readonly [filter: string, seen: number, rejected: number])[] = [];
  const scheduler = new FilterScheduler({
    observer: { decided: () => undefined, filtered: (...filtered) => counted.push(filtered) },
    ...{ pools, maxAttempts: 9, weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0) },
    filters: isReady ? filters : filters.map(withoutShortcut),
    weighers: isReady ? weighers : weighers.map(withoutColumn),
  });
  const services = (up: readonly string[], zones: readonly (string | null)[]): void =>
    pools.setServices(
      HOSTS.map((host, index) => ({
        ...{ host, clusterName: null, disabled: false, frozen: false, up: up.includes(host) },
        availabilityZone: zones[index] ?? null,
      })),
    );
  services(HOSTS, ZONES);
  const plain = { total_capacity_gb: 100, free_capacity_gb: 90, allocated_capacity_gb: 10 };
  for (const host of HOSTS) {
    const capabilities = {
      pools: POOLS.map((pool_name, index) => ({ ...plain, pool_name, reserved_percentage: index })),
    };
    pools.report({ host, clusterName: null, timestamp: 0, capabilities });
  }

  const happened = (each: Event): object => {
    switch (each.kind) {
      case 'report':
        return { taken: pools.report(reportOf(each, now)) };
      case 'services':
        services(each.up, each.zones);
        return {};
      case 'room':
        return { taken: pools.consume(each.pool, each.gib) };
      case 'explain': {
        const { request: read } = scheduler.begin(specOf(each.request), propertiesOf(each.request), surroundings);
        const explained = scheduler.explain({ ...read, existsOn: each.request.existsOn });
        const { tallies, refusal, candidates } = explained;
        return {
          ...{ tallies, refusal, opinions: explained.opinions() },
          candidates: candidates.map((candidate) => [candidate.pool.backendId, candidate.weight]),
        };
      }
      case 'choose': {
        const attempt = scheduler.begin(specOf(each.request), propertiesOf(each.request), surroundings);
        const choice = scheduler.choose(attempt, new Set(), each.spares);
        const counts = counted.splice(0);
        if ('refusal' in choice) return { ...choice, counts };
        return { placement: choice.placement, counts, spares: choice.spares.map(({ backendId }) => backendId) };
      }
    }
  };

  return {
    happen(each: Event, time: number): object {
      now = 10 * (1 + time);
      try {
        return happened(each);
      } catch (error) {
        return { fault: String(error) };
      }
    },
  };
}

function withoutShortcut({ name, passes, reason, complaint }: Filter): Filter {
  return { name, passes, reason, complaint };
}

function withoutColumn({ name, multiplier, weigh, settle }: Weigher): Weigher {
  return { name, multiplier, weigh, ...(settle && { settle }) };
}

const surroundings = {
  volumes: [{ id: SAME, host: 'h0@b#q', clusterName: null }],
  servers: new Map([[SAME, 'h1']]),
  volumeCounts: new Map<string, number>(),
};

function reportOf({ host, pools: [names, figures], lateBy }: Event & { kind: 'report' }, now: number) {
  const pools = names.map((pool_name, index): ValueMap => ({ pool_name, ...(figures[index] as ValueMap) }));
  return { host, clusterName: null, timestamp: now - lateBy, capabilities: { pools } };
}

function specOf({ sizeGib, zones, zone, type, operation, resourceBackend }: Asked): RequestSpec {
  const named = { id: 't', name: 't', description: null, isPublic: true, qosSpecsId: null };
  return {
    ...{ volumeId: 'v', availabilityZones: zones, operation },
    ...(type && { volumeType: { ...named, extraSpecs: new Map(Object.entries(type)) } }),
    ...(resourceBackend !== '' && { resourceBackend }),
    volumeProperties: {
      ...{ sizeGib, availabilityZone: zone, metadata: new Map(), qosSpecs: new Map(), multiattach: false },
    },
  };
}

function propertiesOf({ hint, triedBefore }: Asked): FilterProperties {
  return {
    schedulerHints: new Map(hint === 'none' ? [] : [[hint, JSON.stringify(SAME)]]),
    ...(triedBefore.length > 0 && { retry: { numAttempts: 1, backends: triedBefore, exc: [] } }),
  };
}
