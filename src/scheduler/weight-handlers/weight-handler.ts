/** How the weights of several weighers become an order of pools. */
export interface WeightHandler {
  /** Cinder's class name, the end of the option `scheduler_weight_handler`. */
  readonly name: string;
  /** Adds one weigher's opinion to the totals, in place; may change `raw`. */
  readonly add: (raw: Float64Array, multiplier: number, totals: Float64Array) => void;
  /** The first `count` in the order among those that may be taken, as indexes of `weights`. */
  readonly shortlist: (weights: Float64Array, mayTake: (index: number) => boolean, count: number) => readonly number[];
  /** All, in the order, as indexes of `weights`. */
  readonly rank: (weights: Float64Array) => Uint32Array;
}
