import type { Filter } from './filters/index.js';
import type { Opinion } from './opinion.js';
import type { PlacementRequest } from './placement-request.js';
import type { Pool } from './pool-state.js';
import type { PoolTable } from './pool-table.js';
import type { FilterTally } from './refusal.js';
import { sift, type Sift, tally } from './sift.js';
import { unusable } from './unusable.js';
import type { Weigher } from './weighers/index.js';
import type { WeightHandler } from './weight-handlers/index.js';

/** The outcome of one pass over the pools; to be read before the next pass, which uses the same room. */
export interface Sieved {
  readonly poolCount: number;
  readonly passedCount: number;
  /** The first `count` pools in the order, among those that may be taken; of equals the first. */
  shortlist(mayTake: (pool: Pool) => boolean, count: number): readonly Pool[];
  /** All that passed, in the order. */
  ranked(): Ranking;
  /** Tells, filter by filter, how many pools it saw and how many of them it rejected. */
  eachFilter(tell: (filter: string, seenCount: number, rejectedCount: number) => void): void;
  /** What each filter did. */
  tallies(): readonly FilterTally[];
}

/** A pool that passed. */
interface Ranked {
  readonly pool: Pool;
  readonly weight: number;
}

/** The pools that passed, best first; equals stay in the pools' order. To be read as `Sieved`. */
export interface Ranking {
  readonly candidates: readonly Ranked[];
  /** What each weigher thinks of the candidates, in their order. Throws UnusableCapability. */
  opinions(): readonly Opinion[];
}

/**
 * Filters and weighs pools, in room that is reused: a decision over many pools makes no garbage, sorts nothing, and looks
 * at a pool itself only where the table does not know. Rule: cinder/scheduler/base_filter.py, base_weight.py.
 */
export class PoolSieve {
  readonly #filters: readonly Filter[];
  readonly #weighers: readonly Weigher[];
  readonly #handler: WeightHandler;
  /** 0, 1, 2 … */
  #all = new Uint32Array(0);
  /** Of the pools that are left, in their order. */
  #rows = new Uint32Array(0);
  #totals = new Float64Array(0);
  #raw = new Float64Array(0);
  #verdicts = new Uint8Array(0);

  constructor(filters: readonly Filter[], weighers: readonly Weigher[], handler: WeightHandler) {
    this.#filters = filters;
    this.#weighers = weighers;
    this.#handler = handler;
  }

  /** Throws UnusableCapability when a filter or weigher cannot compare what a pool reports. */
  sieve(table: PoolTable, request: PlacementRequest, quotedRejections: number): Sieved {
    const { pools } = table;
    this.#makeRoom(pools.length);
    const sifts: Sift[] = [];
    let rows = this.#rows.subarray(0, pools.length);
    for (const filter of this.#filters) {
      const sifted = sift({ filter, table, rows, request }, this.#verdicts.subarray(0, rows.length), quotedRejections);
      sifts.push(sifted);
      rows = rows.subarray(0, sifted.passedCount);
    }
    const weights = this.#weigh(table, rows, request);
    const poolAt = (index: number): Pool => pools[rows[index] as number] as Pool; // asked for indexes of rows only
    return {
      poolCount: pools.length,
      passedCount: rows.length,
      shortlist: (mayTake, count) =>
        this.#handler.shortlist(weights, (index) => mayTake(poolAt(index)), count).map(poolAt),
      ranked: () => {
        const order = this.#handler.rank(weights);
        const candidates: Ranked[] = [];
        for (let at = 0; at < order.length; at += 1) {
          const index = order[at] as number; // of weights
          candidates.push({ pool: poolAt(index), weight: weights[index] as number });
        }
        return {
          candidates,
          opinions: () => this.#weighers.map((weigher) => this.#opinion(weigher, table, rows, request, order)),
        };
      },
      eachFilter(tell) {
        for (const { filter, poolCount, passedCount } of sifts) tell(filter.name, poolCount, poolCount - passedCount);
      },
      tallies: () => sifts.map((sifted) => tally(sifted, pools, request)),
    };
  }

  #makeRoom(count: number): void {
    if (this.#rows.length < count) {
      this.#all = Uint32Array.from({ length: count }, (_, row) => row);
      this.#rows = new Uint32Array(count);
      this.#totals = new Float64Array(count);
      this.#raw = new Float64Array(count);
      this.#verdicts = new Uint8Array(count);
    }
    this.#rows.set(this.#all.subarray(0, count));
  }

  #weigh(table: PoolTable, rows: Uint32Array, request: PlacementRequest): Float64Array {
    const totals = this.#totals.subarray(0, rows.length).fill(0);
    const raw = this.#raw.subarray(0, rows.length);
    for (const weigher of this.#weighers) {
      weighInto(weigher, table, rows, request, raw);
      this.#handler.add(raw, weigher.multiplier, totals);
    }
    return totals;
  }

  #opinion(
    weigher: Weigher,
    table: PoolTable,
    rows: Uint32Array,
    request: PlacementRequest,
    order: Uint32Array,
  ): Opinion {
    const raw = new Float64Array(rows.length);
    weighInto(weigher, table, rows, request, raw);
    const normalised = new Float64Array(rows.length);
    this.#handler.add(raw.slice(), 1, normalised);
    const { name, multiplier } = weigher;
    return { weigher: name, multiplier, raw: inOrder(raw, order), normalised: inOrder(normalised, order) };
  }
}

function inOrder(values: Float64Array, order: Uint32Array): Float64Array {
  const result = new Float64Array(order.length);
  for (let at = 0; at < order.length; at += 1) result[at] = values[order[at] as number] as number; // indexes of values
  return result;
}

function weighInto(
  weigher: Weigher,
  table: PoolTable,
  rows: Uint32Array,
  request: PlacementRequest,
  weights: Float64Array,
): void {
  const column = weigher.column && table.column(weigher.column(request));
  let index = 0;
  try {
    for (; index < rows.length; index += 1) {
      const row = rows[index] as number;
      const known = column ? (column[row] as number) : NaN;
      weights[index] = Number.isNaN(known) ? weigher.weigh(table.pools[row] as Pool, request) : known;
    }
    weigher.settle?.(weights);
  } catch (error) {
    throw unusable(error, table.pools[rows[index] ?? -1]?.backendId ?? '', weigher.name);
  }
}
