import test from 'ava';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { capacityFilter } from '#src/scheduler/filters/capacity.js';
import { poolOf, requestOf } from '../../replay/scheduler/recorded.js';

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
  t.throws(() => filtersByName(['CapacityFilter', 'RetryFilter', 'Nonsense'], { functions: new Functions() }), {
    name: 'SchedulerHostFilterNotFound',
    message: /RetryFilter, Nonsense/,
  });
});

test('filters come in the order in which they are named', (t) => {
  const names = ['CapabilitiesFilter', 'AvailabilityZoneFilter'];
  t.deepEqual(
    filtersByName(names, { functions: new Functions() }).map(({ name }) => name),
    names,
  );
});
