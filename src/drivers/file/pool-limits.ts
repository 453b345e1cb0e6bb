import type { OverSubscription } from '../driver.js';

/** What bounds a pool. */
export interface PoolLimits {
  /** GiB of the file system that the pool may count as its own. @default the whole file system */
  readonly capacityGib?: number;
  /** Whole per cent of the capacity that is never promised, 0 to 100. @default 0 */
  readonly reservedPercentage?: number;
  /** @default 20 */
  readonly maxOverSubscriptionRatio?: OverSubscription;
}

/** Cinder's default of `max_over_subscription_ratio`. */
export const DEFAULT_RATIO = 20;

/** Figures of a pool, GiB. */
export interface PoolFigures {
  readonly totalGib: number;
  readonly freeGib: number;
  readonly provisionedGib: number;
}

/**
 * How many GiB a pool may promise in all: the scheduler's own arithmetic, so that the host refuses what a scheduler with
 * old figures lets through. Rule: cinder/scheduler/utils (`calculate_capacity_factors`), thin provisioning.
 */
export function promisableGib(figures: PoolFigures, limits: PoolLimits): number {
  const reserved = Math.floor((figures.totalGib * (limits.reservedPercentage ?? 0)) / 100);
  return (figures.totalGib - reserved) * ratioOf(figures, limits.maxOverSubscriptionRatio ?? DEFAULT_RATIO);
}

/** Rule: cinder/volume/volume_utils.py, `get_max_over_subscription_ratio`. */
function ratioOf({ totalGib, freeGib, provisionedGib }: PoolFigures, ratio: OverSubscription): number {
  if (ratio !== 'auto') return ratio;
  return provisionedGib === 0 ? DEFAULT_RATIO : 1 + provisionedGib / (totalGib - freeGib + 1);
}
