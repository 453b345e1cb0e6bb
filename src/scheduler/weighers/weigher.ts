import type { Functions } from '../evaluator/functions.js';
import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import type { Column } from '../pool-table.js';

/** One opinion of how good a pool is for a request. Pure. */
export interface Weigher {
  /** Cinder's class name, as in the option `scheduler_default_weighers`. */
  readonly name: string;
  /** How much the opinion counts; negative turns it round. */
  readonly multiplier: number;
  /** The weight before it is normalised. Throws PythonError where Cinder's weigher fails the request. */
  readonly weigh: (pool: Pool, request: PlacementRequest) => number;
  /** Where the weights stand ready; of a pool that has NaN there, `weigh` tells. @default each pool is weighed */
  readonly column?: (request: PlacementRequest) => Column;
  /** Makes the weights of all candidates fit to be normalised, in place. */
  readonly settle?: (weights: Float64Array) => void;
}

/** What weighers are made of. The multipliers are Cinder's options of the same names: positive prefers more, negative less. */
export interface WeigherParts {
  /** @default 1 */
  readonly capacityWeightMultiplier: number;
  /** @default -1 */
  readonly allocatedCapacityWeightMultiplier: number;
  /** @default -1 */
  readonly volumeNumberMultiplier: number;
  /** Evaluates what pools report as their `goodness_function`. */
  readonly functions: Functions;
  /** A number of 0 or more and less than 1. */
  readonly random: () => number;
}
