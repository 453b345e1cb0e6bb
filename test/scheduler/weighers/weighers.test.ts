import test from 'ava';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { poolOf, requestOf } from '../../replay/scheduler/recorded.js';
import { weigherParts } from '../../replay/scheduler/weighers.js';

test('unknown weighers are refused together, by name', (t) => {
  t.throws(() => weighersByName(['Heavy', 'CapacityWeigher', 'Light'], weigherParts()), {
    name: 'SchedulerHostWeigherNotFound',
    message: /Heavy, Light/,
  });
});

test('what a pool has for a thin volume does not hang on how much it says is free', (t) => {
  const [weigher] = weighersByName(['CapacityWeigher'], weigherParts());
  const pool = poolOf({
    ...{ host: 'h@b', cluster_name: null, backend: {}, service: { availability_zone: 'nova' } },
    pool: { pool_name: 'p', total_capacity_gb: 10, free_capacity_gb: null, thin_provisioning_support: true },
  });
  const thick = { volume_type: { extra_specs: { 'provisioning:type': 'thick' } } };
  t.is(weigher?.weigh(pool, requestOf({})), 200);
  t.is(weigher?.weigh(pool, requestOf(thick)), -1, 'the last choice');
});
