import type { Filter } from './filters/index.js';
import type { PlacementRequest } from './placement-request.js';
import type { Pool } from './pool-state.js';
import type { FilterTally } from './refusal.js';
import { unusable } from './unusable.js';
import type { Weigher } from './weighers/index.js';
import type { WeightHandler } from './weight-handlers/index.js';

/** The outcome of one pass over the pools; to be read before the next pass, which uses the same room. */
export interface Sieved {
  readonly poolCount: number;
  readonly passedCount: number;
  /** The pool of the greatest weight among those that may be taken; of equals the first. */
  best(mayTake: (pool: Pool) => boolean): Pool | undefined;
  /** The first `count` pools in the order, among those that may be taken. */
  shortlist(mayTake: (pool: Pool) => boolean, count: number): readonly Pool[];
  /** The pools that passed, best first; equals stay in the pools' order. */
  candidates(): { readonly pool: Pool; readonly weight: number }[];
  /** Tells, filter by filter, how many pools it saw and how many of them it rejected. */
  eachFilter(tell: (filter: string, seenCount: number, rejectedCount: number) => void): void;
  /** What each filter did. */
  tallies(): readonly FilterTally[];
}

/**
 * Filters and weighs pools, in room that is reused: a decision over many pools makes no garbage and sorts nothing.
 * Rule: cinder/scheduler/base_filter.py, base_weight.py.
 */
export class PoolSieve {
  readonly #filters: readonly Filter[];
  readonly #weighers: readonly Weigher[];
  readonly #handler: WeightHandler;
  #passed: Pool[] = [];
  #totals = new Float64Array(0);
  #raw = new Float64Array(0);

  constructor(filters: readonly Filter[], weighers: readonly Weigher[], handler: WeightHandler) {
    this.#filters = filters;
    this.#weighers = weighers;
    this.#handler = handler;
  }

  /** Throws UnusableCapability when a filter or weigher cannot compare what a pool reports. */
  sieve(pools: readonly Pool[], request: PlacementRequest, quotedRejections: number): Sieved {
    this.#makeRoom(pools);
    const passed = this.#passed;
    const sifts: Sift[] = [];
    let count = pools.length;
    for (const filter of this.#filters) {
      const sift = siftInPlace(filter, passed, count, request, quotedRejections);
      sifts.push(sift);
      count = sift.passedCount;
    }
    const weights = this.#weigh(count, request);
    return {
      poolCount: pools.length,
      passedCount: count,
      best: (mayTake) => this.#handler.best(passed, weights, mayTake),
      shortlist: (mayTake, most) => this.#handler.shortlist(passed, weights, mayTake, most),
      candidates: () => this.#handler.rank(passed, weights),
      eachFilter(tell) {
        for (const sift of sifts) tell(sift.filter.name, sift.poolCount, sift.poolCount - sift.passedCount);
      },
      tallies: () => sifts.map((sift) => tally(sift, request)),
    };
  }

  #makeRoom(pools: readonly Pool[]): void {
    const passed = this.#passed;
    passed.length = pools.length; // lets go of pools that are gone
    for (let index = 0; index < pools.length; index += 1) passed[index] = pools[index] as Pool; // index is in range
    if (this.#totals.length >= pools.length) return;
    this.#totals = new Float64Array(pools.length);
    this.#raw = new Float64Array(pools.length);
  }

  #weigh(count: number, request: PlacementRequest): Float64Array {
    const totals = this.#totals.subarray(0, count).fill(0);
    const raw = this.#raw.subarray(0, count);
    for (const weigher of this.#weighers) {
      weighInto(weigher, this.#passed, request, raw);
      this.#handler.add(raw, weigher.multiplier, totals);
    }
    return totals;
  }
}

interface Sift {
  readonly filter: Filter;
  readonly poolCount: number;
  readonly passedCount: number;
  readonly quoted: readonly Pool[];
}

/** Moves the pools that pass to the front of the first `count`, in their order. */
function siftInPlace(filter: Filter, pools: Pool[], count: number, request: PlacementRequest, quotes: number): Sift {
  const quoted: Pool[] = [];
  let passedCount = 0;
  let index = 0;
  try {
    for (; index < count; index += 1) {
      const pool = pools[index] as Pool; // index is in range
      if (filter.passes(pool, request)) pools[passedCount++] = pool;
      else if (quoted.length < quotes) quoted.push(pool);
    }
  } catch (error) {
    throw unusable(error, pools[index]?.backendId ?? '', filter.name);
  }
  return { filter, poolCount: count, passedCount, quoted };
}

function weighInto(weigher: Weigher, pools: readonly Pool[], request: PlacementRequest, weights: Float64Array): void {
  let index = 0;
  try {
    for (; index < weights.length; index += 1) weights[index] = weigher.weigh(pools[index] as Pool, request); // in range
    weigher.settle?.(weights);
  } catch (error) {
    throw unusable(error, pools[index]?.backendId ?? '', weigher.name);
  }
}

function tally({ filter, poolCount, passedCount, quoted }: Sift, request: PlacementRequest): FilterTally {
  return {
    filter: filter.name,
    poolCount,
    rejectedCount: poolCount - passedCount,
    complaint: filter.complaint,
    examples: quoted.map((pool) => ({ pool: pool.backendId, reason: filter.reason(pool, request) })),
  };
}
