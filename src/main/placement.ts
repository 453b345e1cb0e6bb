import type { Log } from '../log/log.js';
import type { RedisConnection } from '../redis/connection.js';
import type { Claims } from '../scheduler/claims.js';
import { Functions } from '../scheduler/evaluator/functions.js';
import { FilterScheduler } from '../scheduler/filter-scheduler.js';
import { type Filter, filtersByName } from '../scheduler/filters/index.js';
import { forwardClock } from '../scheduler/forward-clock.js';
import { releaseGivenUp } from '../scheduler/given-up.js';
import { OddPools } from '../scheduler/odd-pools.js';
import { Pools } from '../scheduler/pools.js';
import { type LookUp, lookUpWith, NO_COMPUTE } from '../scheduler/surroundings.js';
import { VolumeCounts } from '../scheduler/volume-counts.js';
import { weighersByName } from '../scheduler/weighers/index.js';
import { weightHandlerByName } from '../scheduler/weight-handlers/index.js';
import { claimsOf } from './claims.js';
import type { Foundation } from './foundation.js';
import { claimReadings, decisionMetrics, schedulerReadings } from './observers.js';

/** Odd pools that a log line names; the rest is counted. */
const MAX_LOGGED_POOLS = 5;

/** What a scheduler knows of the pools, and how it chooses among them. */
export interface PlacementEngine {
  /** Never goes back. */
  readonly now: () => number;
  readonly pools: Pools;
  readonly oddPools: OddPools;
  readonly filters: readonly Filter[];
  readonly scheduler: FilterScheduler;
  /** Undefined where capacity decides nothing. */
  readonly claims: Claims | undefined;
  readonly lookUp: LookUp;
  /** To be told where a volume was placed: the next choice counts it. */
  readonly onPlaced: (placed: { readonly host: string }) => void;
}

/** Builds the configured filters and weighers, and what they read. Throws when a name is that of none. */
export function placementEngine(
  parts: Pick<Foundation, 'config' | 'store' | 'telemetry' | 'onGivenUp'> & { readonly log: Log },
  redis: RedisConnection,
): PlacementEngine {
  const { config, store, log } = parts;
  const { metrics } = parts.telemetry;
  const now = forwardClock();

  const pools = new Pools({ maxOverSubscriptionRatio: config.maxOverSubscriptionRatio, now });
  const functions = new Functions();
  const filters = filtersByName(config.schedulerDefaultFilters, { functions });
  const weighers = weighersByName(config.schedulerDefaultWeighers, {
    capacityWeightMultiplier: config.capacityWeightMultiplier,
    allocatedCapacityWeightMultiplier: config.allocatedCapacityWeightMultiplier,
    volumeNumberMultiplier: config.volumeNumberMultiplier,
    functions,
    random: Math.random,
  });
  const scheduler = new FilterScheduler({
    pools,
    filters,
    weighers,
    weightHandler: weightHandlerByName(config.schedulerWeightHandler, Math.random),
    maxAttempts: config.schedulerMaxAttempts,
    observer: decisionMetrics(metrics),
  });
  const claims = claimsOf(parts, redis);
  if (claims) {
    claimReadings(metrics, claims, pools);
    parts.onGivenUp.add((cast) => void releaseGivenUp(claims, cast));
  }
  const counts = new VolumeCounts(store);
  const lookUp = lookUpWith({ store, counts, compute: NO_COMPUTE, filters, weighers });
  const oddPools = new OddPools({
    ...{ pools, now, intervalMs: config.backendStatsPollingIntervalMs },
    onNews: (kind, odd) =>
      log.warn('pools report what is strange', {
        ...{ kind, poolCount: odd.length },
        pools: odd.slice(0, MAX_LOGGED_POOLS).map(({ pool, text }) => `${pool}: ${text}`),
      }),
  });
  schedulerReadings(metrics, pools, oddPools, now);

  return {
    ...{ now, pools, oddPools, filters, scheduler, claims, lookUp },
    onPlaced({ host }) {
      if (config.schedulerDefaultWeighers.includes('VolumeNumberWeigher')) counts.placed(host);
    },
  };
}
