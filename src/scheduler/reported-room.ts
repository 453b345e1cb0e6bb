import { capacityFactors, figure, isUnmeasured, maxOverSubscriptionRatio, provisionedCapacity } from './capacity.js';
import { PythonError } from './python/python-error.js';
import { get, isTruthy, type ValueMap } from './python/value.js';

/** What a report leaves of a pool, GiB. */
export interface Room {
  readonly thinGib: number;
  readonly thickGib: number;
  /** When the report was made, ms. */
  readonly reportedAt: number;
}

/**
 * The greatest request that the capacity filter lets pass on the figures as reported, less which each GiB that was claimed
 * since counts in full: the filter's other conditions are weaker. `reportedAt` unless the pool says when itself.
 * Undefined where the filter compares nothing, or cannot. Rule: src/scheduler/filters/capacity.ts.
 */
export function reportedRoom(pool: ValueMap | undefined, reportedAt: number, globalRatio: string): Room | undefined {
  if (pool === undefined) return undefined;
  const total = figure(pool, 'total_capacity_gb', 0);
  const free = figure(pool, 'free_capacity_gb', 0);
  if (isUnmeasured(total) || isUnmeasured(free) || free === null) return undefined;
  const own = get(pool, 'timestamp');
  try {
    const figures = {
      totalCapacityGb: total,
      freeCapacityGb: free,
      provisionedCapacityGb: provisionedCapacity(pool),
      reservedPercentage: figure(pool, 'reserved_percentage', 0),
      thinProvisioningSupport: isTruthy(figure(pool, 'thin_provisioning_support', false)),
      maxOverSubscriptionRatio: maxOverSubscriptionRatio(pool, globalRatio),
    };
    const thinGib = capacityFactors(figures, true).virtualFreeCapacity;
    const thickGib = capacityFactors(figures, false).virtualFreeCapacity;
    if (!Number.isFinite(thinGib) || !Number.isFinite(thickGib)) return undefined;
    return { thinGib, thickGib, reportedAt: typeof own === 'number' ? own : reportedAt };
  } catch (error) {
    if (error instanceof PythonError) return undefined; // the filter tells whoever asks for such a pool
    throw error;
  }
}
