import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '#src/redis/connection.js';
import { type ClaimedPool, Claims, type ClaimsOptions } from '#src/scheduler/claims.js';
import { loadClaimScripts } from '#src/scheduler/claim-scripts.js';
import type { CapabilityReport, IncludedClaim } from '#src/scheduler/report.js';

/** A backend whose keys no other test has. */
export const newBackend = (): string => `host-${randomUUID()}@b`;

/** The claims of a scheduler, with Cinder's intervals. */
export function claimsOver(redis: RedisConnection, options: Partial<ClaimsOptions> = {}): Claims {
  const scripts = loadClaimScripts();
  return new Claims({
    ...{ redis, scripts, maxOverSubscriptionRatio: '20.0', workMs: 600_000, reportIntervalMs: 60_000 },
    ...options,
  });
}

/** A report of thick pools: GiB free, by name. */
export function reportFrom(
  host: string,
  timestamp: number,
  freeGib: Readonly<Record<string, number>>,
  includedClaims: readonly IncludedClaim[] = [],
): CapabilityReport {
  const pools = Object.entries(freeGib).map(([pool_name, free]) => ({
    ...{ pool_name, timestamp, total_capacity_gb: 1_000, free_capacity_gb: free, allocated_capacity_gb: 0 },
    provisioned_capacity_gb: 0,
  }));
  return { host, clusterName: null, timestamp, capabilities: { pools }, includedClaims };
}

/** A pool as a scheduler knows it that got a report of `freeGib`. */
export function poolAs(backend: string, name: string, freeGib: number, timestamp: number): ClaimedPool {
  const capabilities = { total_capacity_gb: 1_000, free_capacity_gb: freeGib, timestamp };
  return { backendId: `${backend}#${name}`, capabilities, updatedAt: timestamp };
}
