import test from 'ava';
import type { FilterProperties, RequestSpec } from '#src/objects/request-spec.js';
import { FilterScheduler, type Choice, type Placement } from '#src/scheduler/filter-scheduler.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { placementRequest } from '#src/scheduler/placement-request.js';
import { Pools } from '#src/scheduler/pools.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { describeToOperator, describeToOwner } from '#src/scheduler/refusal.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS, DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';

test('the room of each placement is gone for the next one', (t) => {
  const { scheduler } = schedulerOver({ 'h1@b': [pool('p', 10)], 'h2@b': [pool('p', 9)] });
  const hosts = [1, 2, 3, 4].map(() => placed(choose(scheduler, 5)).host);
  t.deepEqual(hosts, ['h1@b#p', 'h2@b#p', 'h1@b#p', 'h2@b#p'].slice(0, 3).concat('none'));
});

test('pools of equal weight are taken in the order of the services', (t) => {
  const { scheduler } = schedulerOver({ 'h2@b': [pool('q', 10), pool('p', 10)], 'h1@b': [pool('p', 10)] });
  t.is(placed(choose(scheduler, 1)).host, 'h2@b#q');
});

test('a volume that is bound to a backend goes there, however good the others are', (t) => {
  const { scheduler } = schedulerOver({ 'h1@b': [pool('p', 100)], 'h2@b': [pool('p', 10), pool('q', 20)] });
  t.is(placed(choose(scheduler, 1, { resourceBackend: 'h2@b' })).host, 'h2@b#q');
  t.is(placed(choose(scheduler, 1, { resourceBackend: 'h2@b#p' })).host, 'h2@b#p');
});

test('a placement that was lost gives its room back, and the next best pool is chosen', (t) => {
  const { scheduler, pools } = schedulerOver({ 'h1@b': [pool('p', 10)], 'h2@b': [pool('p', 9)] });
  const attempt = scheduler.begin(spec(5), NO_PROPERTIES);
  const lost = placed(scheduler.choose(attempt));
  scheduler.release(lost);
  t.is(pools.find(lost.backendId)?.freeCapacityGb, 10);
  t.is(placed(scheduler.choose(attempt, new Set([lost.backendId]))).host, 'h2@b#p');
  t.regex(operatorText(scheduler.choose(attempt, new Set(['h1@b#p', 'h2@b#p']))), /none is free any more/);
});

test('a retry gives back the room that the last attempt took, and remembers both backends', (t) => {
  const { scheduler, pools } = schedulerOver({ 'h1@b': [pool('p', 10)] });
  const first = placed(choose(scheduler, 4));
  t.is(pools.find('h1@b#p')?.freeCapacityGb, 6);
  const retry = { ...first.retry, exc: ['no space'] } as NonNullable<FilterProperties['retry']>;
  const second = placed(scheduler.choose(scheduler.begin(spec(4), { ...NO_PROPERTIES, retry })));
  t.is(pools.find('h1@b#p')?.freeCapacityGb, 6);
  t.deepEqual(second.retry, { numAttempts: 2, backends: ['h1@b#p', 'h1@b#p'], exc: [] });
});

test('attempts end where the option says, and one attempt leaves no history', (t) => {
  const { pools } = schedulerOver({ 'h1@b': [pool('p', 10)] });
  const parts = {
    pools,
    filters: [],
    weighers: [],
    weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
  };
  const retry = { numAttempts: 2, backends: [], exc: [] };
  t.throws(() => new FilterScheduler({ ...parts, maxAttempts: 2 }).begin(spec(1), { ...NO_PROPERTIES, retry }), {
    name: 'NoValidBackend',
  });
  t.is(new FilterScheduler({ ...parts, maxAttempts: 1 }).begin(spec(1), { ...NO_PROPERTIES, retry }).retry, undefined);
  t.throws(() => new FilterScheduler({ ...parts, maxAttempts: 0 }), { name: 'InvalidParameterValue' });
});

test('"nobody has reported" is told apart from "nobody is there" and "all were rejected"', (t) => {
  const { scheduler: unheard } = schedulerOver({ 'h1@b': undefined, 'h2@b': undefined });
  const { scheduler: alone } = schedulerOver({});
  t.is(
    operatorText(choose(unheard, 1)),
    'No storage pool has reported yet. 2 backends are up without a report: h1@b, h2@b.',
  );
  t.is(ownerText(choose(unheard, 1)), 'No storage pool has reported yet.');
  t.is(operatorText(choose(alone, 1)), 'No storage backend is up and enabled.');
});

test('a refusal says filter by filter how many pools were rejected, with examples, and no names for the owner', (t) => {
  const { scheduler } = schedulerOver({ 'h1@b': [pool('p', 3), pool('q', 2)], 'h2@b': [pool('p', 100, 'az2')] });
  const choice = choose(scheduler, 5, { availabilityZones: ['nova'] });
  t.is(
    operatorText(choice),
    "3 pools. AvailabilityZoneFilter rejected 1 of 3 (h2@b#p is in zone 'az2', not in one of nova). " +
      'CapacityFilter rejected 2 of 2 (' +
      'h1@b#p has room for 3 GiB, 5 GiB are asked for (0 GiB provisioned, over-subscription 1); ' +
      'h1@b#q has room for 2 GiB, 5 GiB are asked for (0 GiB provisioned, over-subscription 1)).',
  );
  t.is(
    ownerText(choice),
    '1 of 3 pools are not in the availability zone asked for. 2 of 2 pools do not have enough room.',
  );
});

test('only the first rejections are quoted, and that there are more is said', (t) => {
  const { scheduler } = schedulerOver({ 'h1@b': ['a', 'b', 'c', 'd'].map((name) => pool(name, 1)) });
  const text = operatorText(choose(scheduler, 5));
  t.regex(text, /rejected 4 of 4 .*h1@b#a .*h1@b#b .*h1@b#c .*; …\)/);
  t.notRegex(text, /h1@b#d/);
});

test('a capability that a type cannot be compared with fails the request and is named', (t) => {
  const { scheduler, pools } = schedulerOver({ 'h1@b': [{ ...pool('p', 5), tier: 7 }] });
  const error = t.throws(() => choose(scheduler, 1, { volumeType: type({ tier: 's< gold' }) }), {
    name: 'UnusableCapability',
  });
  t.like(error, { facts: { pool: 'h1@b#p', asker: 'CapabilitiesFilter' } });
  t.is(pools.find('h1@b#p')?.allocatedCapacityGb, 0);
});

test('an explanation takes nothing and ranks every pool that would do', (t) => {
  const { scheduler, pools } = schedulerOver({ 'h1@b': [pool('p', 10), pool('q', 30), pool('r', 20), pool('s', 1)] });
  const { tallies, candidates } = scheduler.explain(placementRequest(spec(5), NO_PROPERTIES));
  t.deepEqual(
    candidates.map(({ pool: { name }, weight }) => [name, weight]),
    [
      ['q', 1],
      ['r', 0.5],
      ['p', 0],
    ],
  );
  t.deepEqual(
    tallies.map(({ filter, poolCount, rejectedCount }) => [filter, poolCount, rejectedCount]),
    [
      ['AvailabilityZoneFilter', 4, 0],
      ['CapacityFilter', 4, 1],
      ['CapabilitiesFilter', 3, 0],
    ],
  );
  t.true(pools.list().every(({ allocatedCapacityGb }) => allocatedCapacityGb === 0));
});

test('a type’s answer is remembered until the pool reports something else', (t) => {
  const { scheduler, pools, report } = schedulerOver({ 'h1@b': [{ ...pool('p', 10), tier: 'gold' }] });
  const wanted = { volumeType: type({ tier: 'gold' }) };
  t.is(placed(choose(scheduler, 1, wanted)).host, 'h1@b#p');
  t.is(placed(choose(scheduler, 1, { volumeType: type({ tier: 'silver' }) })).host, 'none');
  report('h1@b', [{ ...pool('p', 10), tier: 'silver' }], 5_000);
  t.is(placed(choose(scheduler, 1, wanted)).host, 'none');
  t.is(pools.list().length, 1);
});

test('a hint that is no JSON is refused by name', (t) => {
  const schedulerHints = new Map([['same_host', '{']]);
  t.throws(() => placementRequest(spec(1), { schedulerHints }), { name: 'InvalidInput', message: /"same_host"/ });
});

const NO_PROPERTIES: FilterProperties = { schedulerHints: new Map() };

/** Each backend with its pools; undefined: up, but silent. A pool's `zone` is its service's. */
function schedulerOver(backends: Readonly<Record<string, readonly ValueMap[] | undefined>>) {
  let now = 1_000;
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => (now += 1) });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false };
  pools.setServices(
    Object.entries(backends).map(([host, made]) => ({ ...flags, host, availabilityZone: zoneOf(made?.[0]) })),
  );
  const report = (host: string, made: readonly ValueMap[], timestamp: number) =>
    pools.report({ host, clusterName: null, timestamp, capabilities: { pools: made } });
  for (const [host, made] of Object.entries(backends)) if (made) report(host, made, 1);
  const scheduler = new FilterScheduler({
    pools,
    filters: filtersByName(DEFAULT_FILTERS, { functions: new Functions() }),
    weighers: weighersByName(DEFAULT_WEIGHERS, weigherParts()),
    weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
    maxAttempts: 3,
  });
  return { scheduler, pools, report };
}

function zoneOf(made: ValueMap | undefined): string {
  return typeof made?.['zone'] === 'string' ? made['zone'] : 'nova';
}

function pool(name: string, sizeGib: number, zone = 'nova'): ValueMap {
  return { pool_name: name, total_capacity_gb: sizeGib, free_capacity_gb: sizeGib, zone };
}

function type(extraSpecs: Readonly<Record<string, string>>) {
  const named = { id: 't', name: 't', description: null, isPublic: true, qosSpecsId: null };
  return { ...named, extraSpecs: new Map(Object.entries(extraSpecs)) };
}

function spec(sizeGib: number, more: Partial<RequestSpec> = {}): RequestSpec {
  const volumeProperties = { sizeGib, metadata: new Map(), qosSpecs: new Map(), multiattach: false };
  return { volumeId: 'v', volumeProperties, availabilityZones: [], ...more };
}

function choose(scheduler: FilterScheduler, sizeGib: number, more: Partial<RequestSpec> = {}): Choice {
  return scheduler.choose(scheduler.begin(spec(sizeGib, more), NO_PROPERTIES));
}

const NOWHERE: Placement = {
  ...{ host: 'none', clusterName: null, backendId: 'none', availabilityZone: null, sizeGib: 0, retry: undefined },
};

function placed(choice: Choice): Placement {
  return 'placement' in choice ? choice.placement : NOWHERE;
}

function operatorText(choice: Choice): string {
  return 'refusal' in choice ? describeToOperator(choice.refusal) : 'placed';
}

function ownerText(choice: Choice): string {
  return 'refusal' in choice ? describeToOwner(choice.refusal) : 'placed';
}
