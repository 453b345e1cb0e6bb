import { PoolSieve } from '#src/scheduler/pool-sieve.js';
import { PoolTable } from '#src/scheduler/pool-table.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { weighersByName, type WeigherParts } from '#src/scheduler/weighers/index.js';
import { goodnessRating } from '#src/scheduler/weighers/goodness.js';
import { type WeightHandler, weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { DEFAULT_WEIGHERS } from '../../support/cinder-defaults.js';
import { replay } from '../replay.js';
import { poolOf, requestOf, type BackendPool, type Overrides, type RecordedProperties } from './recorded.js';

/** The options of weighers, as the files give them. */
export interface WeigherConfig {
  readonly capacity_weight_multiplier?: number;
  readonly allocated_capacity_weight_multiplier?: number;
  readonly volume_number_multiplier?: number;
}

interface Input {
  readonly config?: Overrides & WeigherConfig;
  readonly weighers: readonly string[] | null;
  readonly pools: readonly BackendPool[];
  readonly weight_properties: RecordedProperties;
  readonly volume_counts?: Readonly<Record<string, number>>;
}

/** What weighers are made of in a recorded case; nothing in one is random. */
export function weigherParts(config: WeigherConfig = {}): WeigherParts {
  return {
    capacityWeightMultiplier: config.capacity_weight_multiplier ?? 1,
    allocatedCapacityWeightMultiplier: config.allocated_capacity_weight_multiplier ?? -1,
    volumeNumberMultiplier: config.volume_number_multiplier ?? -1,
    functions: new Functions(),
    random: () => 0,
  };
}

/** Weighers order pools as Cinder does, with the same weights. */
export const weighers = replay('weighers', (input: Input) =>
  ordered(
    input,
    weightHandlerByName('OrderedHostWeightHandler', () => 0),
  ),
);

export const stochasticHandler = replay('stochastic_handler', (input: Input & { readonly u: number }) =>
  ordered(
    input,
    weightHandlerByName('StochasticHostWeightHandler', () => input.u),
  ),
);

function ordered(input: Input, handler: WeightHandler): object {
  const { config, weighers: names, pools, weight_properties, volume_counts = {} } = input;
  const sieve = new PoolSieve([], weighersByName(names ?? DEFAULT_WEIGHERS, weigherParts(config)), handler);
  const request = { ...requestOf(weight_properties), volumeCounts: new Map(Object.entries(volume_counts)) };
  const made = pools.map((pool) => poolOf(pool, config));
  const { candidates } = sieve.sieve(new PoolTable(made), request, 0).ranked();
  return { ordered: candidates.map(({ pool, weight }) => ({ host: pool.host, weight })) };
}

interface GoodnessInput {
  readonly backend_pool: BackendPool;
  readonly weight_properties: RecordedProperties;
}

export const goodness = replay('goodness_rating', ({ backend_pool, weight_properties }: GoodnessInput) => ({
  rating: goodnessRating(poolOf(backend_pool), requestOf(weight_properties), new Functions()),
}));
