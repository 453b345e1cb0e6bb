import test from 'ava';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { capacityFilter } from '#src/scheduler/filters/capacity.js';
import { capacityFactors } from '#src/scheduler/capacity.js';
import type { Pool } from '#src/scheduler/pool-state.js';
import type { Value } from '#src/scheduler/python/value.js';
import { poolOf, requestOf, type BackendPool, type Overrides, type RecordedProperties } from '../recorded.js';
import { failing, outcome, vectors } from '../vectors.js';

interface Input {
  readonly config: Overrides;
  readonly backend_pool: BackendPool;
  readonly filter_properties: RecordedProperties;
}

test('CapacityFilter decides as Cinder does, down to the capacity factors', (t) => {
  const cases = vectors<Input, unknown>('capacity_filter');
  const run = ({ config, backend_pool, filter_properties }: Input) => {
    const pool = poolOf(backend_pool, config);
    const request = requestOf(filter_properties);
    const verdict = outcome(() => capacityFilter.passes(pool, request));
    return {
      max_over_subscription_ratio: pool.maxOverSubscriptionRatio,
      provisioned_capacity_gb: pool.provisionedCapacityGb,
      factors: factors(pool, request.isThin),
      ...(typeof verdict === 'boolean' ? { passes: verdict } : verdict),
    };
  };
  t.true(cases.length > 200);
  t.deepEqual(failing(cases, run), []);
});

test('the reason for a full pool says what there is and what is asked for', (t) => {
  const pool = poolOf({
    ...{ host: 'h@b', cluster_name: null, backend: {}, service: { availability_zone: 'nova' } },
    pool: { pool_name: 'p', total_capacity_gb: 10, free_capacity_gb: 4, provisioned_capacity_gb: 6 },
  });
  const request = requestOf({ size: 5 });
  t.false(capacityFilter.passes(pool, request));
  t.is(
    capacityFilter.reason(pool, request),
    'has room for 4 GiB, 5 GiB are asked for (6 GiB provisioned, over-subscription 1)',
  );
});

test('unknown filters are refused together, by name', (t) => {
  t.throws(() => filtersByName(['CapacityFilter', 'RetryFilter', 'Nonsense']), {
    name: 'SchedulerHostFilterNotFound',
    message: /RetryFilter, Nonsense/,
  });
});

test('filters come in the order in which they are named', (t) => {
  const names = ['CapabilitiesFilter', 'AvailabilityZoneFilter'];
  t.deepEqual(
    filtersByName(names).map(({ name }) => name),
    names,
  );
});

/** As recorded: null where Cinder cannot compute them, no ratio for a thick volume. */
function factors(pool: Pool, isThin: boolean): Readonly<Record<string, Value>> | null {
  const made = outcome(() => capacityFactors(pool, isThin));
  if ('error' in made) return null;
  return {
    total_capacity: made.totalCapacity,
    free_capacity: made.freeCapacity,
    reserved_capacity: made.reservedCapacity,
    total_reserved_available_capacity: made.totalReservedAvailableCapacity,
    max_over_subscription_ratio: made.isThin ? pool.maxOverSubscriptionRatio : null,
    total_available_capacity: made.totalAvailableCapacity,
    provisioned_capacity: made.provisionedCapacity,
    calculated_free_capacity: made.calculatedFreeCapacity,
    virtual_free_capacity: made.virtualFreeCapacity,
    free_percent: made.freePercent,
    provisioned_ratio: made.provisionedRatio,
    provisioned_type: made.isThin ? 'thin' : 'thick',
  };
}
