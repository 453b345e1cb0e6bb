import test from 'ava';
import { PoolSieve } from '#src/scheduler/pool-sieve.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { poolOf, requestOf, type BackendPool, type Overrides, type RecordedProperties } from '../recorded.js';
import { failing, vectors } from '../vectors.js';

interface Input {
  readonly config?: Overrides & { readonly capacity_weight_multiplier?: number };
  readonly weighers: readonly string[];
  readonly pools: readonly BackendPool[];
  readonly weight_properties: RecordedProperties;
}

const BUILT = new Set(['CapacityWeigher']);

test('weighers order pools as Cinder does, with the same weights', (t) => {
  const cases = vectors<Input, unknown>('weighers').filter(({ input }) =>
    input.weighers.every((name) => BUILT.has(name)),
  );
  const run = ({ config, weighers, pools, weight_properties }: Input) => {
    const options = { capacityWeightMultiplier: config?.capacity_weight_multiplier ?? 1 };
    const sieve = new PoolSieve([], weighersByName(weighers, options));
    const made = pools.map((pool) => poolOf(pool, config));
    const candidates = sieve.sieve(made, requestOf(weight_properties), 0).candidates();
    return { ordered: candidates.map(({ pool, weight }) => ({ host: pool.host, weight })) };
  };
  t.true(cases.length > 50);
  t.deepEqual(failing(cases, run), []);
});

test('unknown weighers are refused together, by name', (t) => {
  t.throws(() => weighersByName(['Heavy', 'CapacityWeigher', 'Light'], { capacityWeightMultiplier: 1 }), {
    name: 'SchedulerHostWeigherNotFound',
    message: /Heavy, Light/,
  });
});
