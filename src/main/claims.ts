import type { Log } from '../log/log.js';
import type { RedisConnection } from '../redis/connection.js';
import { loadClaimScripts } from '../scheduler/claim-scripts.js';
import { Claims } from '../scheduler/claims.js';
import type { Foundation } from './foundation.js';
import { claimMetrics } from './observers.js';

/** Undefined where capacity decides nothing: no filter compares it, so nobody may lose a pool over it. */
export function claimsOf(
  { config, log, telemetry }: Pick<Foundation, 'config' | 'telemetry'> & { readonly log: Pick<Log, 'warn'> },
  redis: RedisConnection,
): Claims | undefined {
  if (!config.schedulerDefaultFilters.includes('CapacityFilter')) return undefined;
  return new Claims({
    redis,
    scripts: loadClaimScripts(),
    maxOverSubscriptionRatio: config.maxOverSubscriptionRatio,
    workMs: config.capacityClaimTimeoutMs,
    reportIntervalMs: config.backendStatsPollingIntervalMs,
    observer: claimMetrics(telemetry.metrics, log),
  });
}
