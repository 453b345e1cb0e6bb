import { capacityFactors, isUnmeasured, maxOverSubscriptionRatio } from './capacity.js';
import { toFloat } from './python/number.js';
import { equals, get, type Value, type ValueMap } from './python/value.js';
import { listedPools } from './changed-pools.js';
import { poolName } from './report.js';

/** One announcement, `capacity.pool` or `capacity.backend`. Figures in GiB. */
export interface CapacityUsage {
  readonly type: 'pool' | 'backend';
  /** `backend#pool`, or the backend. */
  readonly nameToId: string;
  readonly total: number;
  readonly free: number;
  readonly allocated: number;
  readonly provisioned: number;
  readonly virtualFree: number;
  /** ms. */
  readonly reportedAt: number;
}

/** What is to be announced of a report. */
export interface CapacityNotice {
  readonly usages: readonly CapacityUsage[];
  /** A changed pool without a measured capacity: what comes after it, the backend's sum too, is not announced. */
  readonly stoppedAt?: string;
}

/**
 * The usage of each changed pool, then the backend's sum over all its pools; of a report without a list of pools nothing.
 * Rule: cinder/scheduler/host_manager.py, `_get_usage`. Cinder raises KeyError where this stops.
 */
export function capacityNotice(
  backend: string,
  report: { readonly timestamp: number; readonly capabilities: ValueMap },
  changed: readonly ValueMap[],
  globalRatio: string,
): CapacityNotice {
  const pools = listedPools(report.capabilities);
  if (pools === undefined) return { usages: [] };
  const usages: CapacityUsage[] = [];
  let stoppedAt: string | undefined;
  let sum = { total: 0, free: 0, allocated: 0, provisioned: 0, virtualFree: 0 };
  for (const pool of pools) {
    const nameToId = `${backend}#${poolName(pool)}`;
    const usage = poolUsage(pool, globalRatio);
    if (usage !== undefined) sum = add(sum, usage);
    if (stoppedAt !== undefined || !changed.some((other) => equals(other, pool))) continue;
    if (usage === undefined) stoppedAt = nameToId;
    else usages.push({ type: 'pool', nameToId, ...usage, reportedAt: report.timestamp });
  }
  if (stoppedAt !== undefined) return { usages, stoppedAt };
  return { usages: [...usages, { type: 'backend', nameToId: backend, ...sum, reportedAt: report.timestamp }] };
}

type Figures = Omit<CapacityUsage, 'type' | 'nameToId' | 'reportedAt'>;

/** Undefined for a pool without a measured capacity. */
function poolUsage(pool: ValueMap, globalRatio: string): Figures | undefined {
  const figure = (key: string): Value => get(pool, key) ?? null;
  const [total, free] = [figure('total_capacity_gb'), figure('free_capacity_gb')];
  if ([total, free].some((value) => value === null || isUnmeasured(value))) return undefined;
  const { virtualFreeCapacity } = capacityFactors(
    {
      totalCapacityGb: total,
      freeCapacityGb: free,
      provisionedCapacityGb: figure('provisioned_capacity_gb'),
      reservedPercentage: figure('reserved_percentage'),
      thinProvisioningSupport: figure('thin_provisioning_support'),
      maxOverSubscriptionRatio: maxOverSubscriptionRatio(pool, globalRatio),
    },
    true,
  );
  return {
    total: toFloat(total),
    free: toFloat(free),
    allocated: toFloat(figure('allocated_capacity_gb')),
    provisioned: toFloat(figure('provisioned_capacity_gb')),
    virtualFree: virtualFreeCapacity,
  };
}

function add(a: Figures, b: Figures): Figures {
  return {
    total: a.total + b.total,
    free: a.free + b.free,
    allocated: a.allocated + b.allocated,
    provisioned: a.provisioned + b.provisioned,
    virtualFree: a.virtualFree + b.virtualFree,
  };
}
