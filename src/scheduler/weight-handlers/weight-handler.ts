import type { Pool } from '../pool-state.js';

/** How the weights of several weighers become an order of pools. */
export interface WeightHandler {
  /** Cinder's class name, the end of the option `scheduler_weight_handler`. */
  readonly name: string;
  /** Adds one weigher's opinion to the totals, in place; may change `raw`. */
  readonly add: (raw: Float64Array, multiplier: number, totals: Float64Array) => void;
  /** The first pool in the order among those that may be taken. `pools` may be longer than `weights`. */
  readonly best: (pools: readonly Pool[], weights: Float64Array, mayTake: (pool: Pool) => boolean) => Pool | undefined;
  /** The first `count` pools in the order, among those that may be taken; the first one is as `best` would have it. */
  readonly shortlist: (
    pools: readonly Pool[],
    weights: Float64Array,
    mayTake: (pool: Pool) => boolean,
    count: number,
  ) => Pool[];
  /** The pools in order. */
  readonly rank: (pools: readonly Pool[], weights: Float64Array) => { pool: Pool; weight: number }[];
}
