import { Fault } from '../errors/fault.js';
import type { FilterProperties, RequestSpec, Retry } from '../objects/request-spec.js';
import { PoolSieve, type Sieved } from './pool-sieve.js';
import {
  isOnResourceBackend,
  placementRequest,
  type PlacementRequest,
  type Surroundings,
} from './placement-request.js';
import type { Pool } from './pool-state.js';
import type { Pools } from './pools.js';
import type { FilterTally, Refusal } from './refusal.js';
import { checkMaxAttempts, countAttempt, noteBackend } from './retry.js';
import type { Opinion } from './opinion.js';
import type { Filter } from './filters/index.js';
import type { Weigher } from './weighers/index.js';
import type { WeightHandler } from './weight-handlers/index.js';

/** What a scheduler decides with. */
export interface FilterSchedulerParts {
  readonly pools: Pools;
  /** In the order in which they are asked. */
  readonly filters: readonly Filter[];
  readonly weighers: readonly Weigher[];
  /** How their weights become an order. */
  readonly weightHandler: WeightHandler;
  /** How often a volume may be scheduled, 1 or more; 1: never again after a failure. @default 3 */
  readonly maxAttempts: number;
  /** Told of each decision; never throws. @default nobody */
  readonly observer?: DecisionObserver;
}

/** Told how decisions end, for metrics. */
export interface DecisionObserver {
  decided(outcome: 'placed' | 'rejected' | 'no_pools', elapsedMs: number): void;
  filtered(filter: string, seenCount: number, rejectedCount: number): void;
}

/** One attempt to place a volume. */
export interface Attempt {
  readonly request: PlacementRequest;
  readonly sizeGib: number;
  /** The history with this attempt in it; absent when rescheduling is off. */
  readonly retry: Retry | undefined;
}

/** Where a volume goes. Its room in memory is taken. */
export interface Placement {
  /** `host@backend#pool`. */
  readonly host: string;
  /** `cluster@backend#pool`; null: not clustered. */
  readonly clusterName: string | null;
  /** The cluster's name, or else the host's. */
  readonly backendId: string;
  /** The zone of the service that was chosen, which becomes the volume's. */
  readonly availabilityZone: string | null;
  readonly sizeGib: number;
  /** The history with this backend in it, for the next attempt. */
  readonly retry: Retry | undefined;
}

/** Either a place and the pools that come after it, or why there is none. */
export type Choice =
  | { readonly placement: Placement; readonly pool: Pool; readonly spares: readonly Pool[] }
  | { readonly refusal: Refusal };

/** A pool that passed all filters. */
export interface Candidate {
  readonly pool: Pool;
  readonly weight: number;
}

/** How a request would be decided now. */
export interface Explanation {
  readonly tallies: readonly FilterTally[];
  /** Best first, wherever the volume may be. */
  readonly candidates: readonly Candidate[];
  /** What is told when none of them can be taken. */
  readonly refusal: Refusal;
  /** What each weigher thinks of the candidates; to be asked before the next decision. Throws UnusableCapability. */
  opinions(): readonly Opinion[];
}

/** How many rejections of each filter a refusal quotes. */
const QUOTED_REJECTIONS = 3;

/** Chooses pools as Cinder's FilterScheduler does. Rule: cinder/scheduler/filter_scheduler.py. */
export class FilterScheduler {
  readonly #parts: FilterSchedulerParts;
  readonly #sieve: PoolSieve;

  /** Throws InvalidParameterValue for `maxAttempts` below 1. */
  constructor(parts: FilterSchedulerParts) {
    checkMaxAttempts(parts.maxAttempts);
    this.#parts = parts;
    this.#sieve = new PoolSieve(parts.filters, parts.weighers, parts.weightHandler);
  }

  /**
   * Begins an attempt: counts it, and gives the room that the last one took back to its pool. Throws NoValidBackend when
   * the attempts are used up, InvalidInput for a hint that cannot be read and for a negative size.
   */
  begin(spec: RequestSpec, filterProperties: FilterProperties, surroundings?: Surroundings): Attempt {
    const { sizeGib } = spec.volumeProperties;
    checkSize(sizeGib);
    const retry = countAttempt(filterProperties.retry, this.#parts.maxAttempts, spec.volumeId);
    const { schedulerHints } = filterProperties;
    const request = placementRequest(spec, { schedulerHints, ...(retry && { retry }) }, surroundings);
    const lastTried = retry?.backends.at(-1);
    if (lastTried !== undefined) this.#parts.pools.revert(lastTried, sizeGib);
    return { request, sizeGib, retry };
  }

  /**
   * Chooses the best pool, other than those `without`, and takes its room at once; names up to `spareCount` next best ones.
   * Throws UnusableCapability when a pool reports what cannot be compared.
   */
  choose(attempt: Attempt, without: ReadonlySet<string> = NONE, spareCount = 0): Choice {
    const { observer } = this.#parts;
    if (!observer) return this.#choose(attempt, without, spareCount);
    const begun = performance.now();
    const choice = this.#choose(attempt, without, spareCount, observer);
    const refused = 'refusal' in choice && (choice.refusal.poolCount === 0 ? 'no_pools' : 'rejected');
    observer.decided(refused || 'placed', performance.now() - begun);
    return choice;
  }

  #choose(attempt: Attempt, without: ReadonlySet<string>, spareCount: number, observer?: DecisionObserver): Choice {
    const { request } = attempt;
    const sieved = this.#sieve.sieve(this.#parts.pools.table(), request, QUOTED_REJECTIONS);
    if (observer) sieved.eachFilter((...filtered) => observer.filtered(...filtered));
    const mayTake = (pool: Pool): boolean =>
      isOnResourceBackend(pool, request.resourceBackend) && !without.has(pool.backendId);
    const [pool, ...spares] = sieved.shortlist(mayTake, 1 + spareCount);
    if (pool === undefined) return { refusal: this.#refusal(sieved, request) };
    return { placement: this.take(attempt, pool), pool, spares };
  }

  /** Takes the room of a pool that a decision has named. Throws UnusableCapability. */
  take({ sizeGib, retry }: Attempt, { host, clusterName, backendId, service }: Pool): Placement {
    this.#parts.pools.consume(backendId, sizeGib);
    const availabilityZone = service.availabilityZone ?? null;
    return { host, clusterName, backendId, availabilityZone, sizeGib, retry: noteBackend(retry, backendId) };
  }

  /** Gives a placement's room back, when it was lost to another scheduler; then take a spare, or choose again `without` it. */
  release({ backendId, sizeGib }: Placement): void {
    this.#parts.pools.revert(backendId, sizeGib);
  }

  /** Counts what all schedulers have claimed of a pool, where this one knew less. */
  learn(backendId: string, reportedAt: number, claimedGib: number): void {
    this.#parts.pools.learn(backendId, reportedAt, claimedGib);
  }

  /** Takes room of a pool for what was decided; less than nothing gives it back. Throws UnusableCapability. */
  takeRoom(backendId: string, sizeGib: number): void {
    this.#parts.pools.consume(backendId, sizeGib);
  }

  /** The backends that are up and have not reported. */
  get silentBackends(): readonly string[] {
    return [...this.#parts.pools.silentBackends];
  }

  /** Decides without taking anything. Quotes up to `quotedRejections` of each filter. Throws UnusableCapability. */
  explain(request: PlacementRequest, quotedRejections: number = QUOTED_REJECTIONS): Explanation {
    const sieved = this.#sieve.sieve(this.#parts.pools.table(), request, quotedRejections);
    const refusal = this.#refusal(sieved, request);
    return { tallies: refusal.tallies, refusal, ...sieved.ranked() };
  }

  #refusal(sieved: Sieved, { resourceBackend }: PlacementRequest): Refusal {
    return {
      poolCount: sieved.poolCount,
      silentBackends: [...this.#parts.pools.silentBackends],
      tallies: sieved.tallies(),
      passedCount: sieved.passedCount,
      resourceBackend,
    };
  }
}

/** A size below nothing would make room. */
function checkSize(sizeGib: number): void {
  if (sizeGib >= 0) return;
  const violations = [{ field: 'request_spec.volume_properties.size', description: 'must not be negative' }];
  throw new Fault('InvalidInput', { violations, omitted: 0 });
}

const NONE: ReadonlySet<string> = new Set();
