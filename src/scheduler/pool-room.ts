import { capacityFactors, isUnmeasured, type CapacityFigures } from './capacity.js';

/** What a request of one kind, thin or thick, finds in a pool, GiB. NaN: the figures are no plain numbers, ask the pool. */
export interface PoolRoom {
  /** What the capacity weigher says: the virtual free capacity. */
  readonly freeGib: number;
  /** The greatest request, other than one for nothing, that the capacity filter lets pass. */
  readonly roomGib: number;
}

/** Never throws. Rule: src/scheduler/filters/capacity.ts, src/scheduler/weighers/capacity.ts. */
export function roomOf(pool: CapacityFigures, wantsThin: boolean): PoolRoom {
  if (!isPlain(pool)) return { freeGib: NaN, roomGib: unmeasuredRoom(pool) };
  const {
    isThin,
    virtualFreeCapacity: freeGib,
    totalAvailableCapacity,
    provisionedCapacity,
  } = capacityFactors(pool, wantsThin);
  if (pool.totalCapacityGb <= 0) return { freeGib, roomGib: -Infinity };
  if (!isThin) return { freeGib, roomGib: freeGib };
  if (pool.maxOverSubscriptionRatio < 1) return { freeGib, roomGib: -Infinity };
  // Where the greatest request keeps to the ratio every smaller one does; where rounding makes it exceed it, the filter has to look.
  const isWithinRatio =
    totalAvailableCapacity > 0 &&
    (provisionedCapacity + freeGib) / totalAvailableCapacity <= pool.maxOverSubscriptionRatio;
  return { freeGib, roomGib: isWithinRatio ? freeGib : NaN };
}

type PlainFigures = CapacityFigures & {
  readonly totalCapacityGb: number;
  readonly freeCapacityGb: number;
  readonly provisionedCapacityGb: number;
  readonly reservedPercentage: number;
};

function isPlain(figures: CapacityFigures): figures is PlainFigures {
  const { totalCapacityGb, freeCapacityGb, provisionedCapacityGb, reservedPercentage } = figures;
  return (
    Number.isFinite(totalCapacityGb) &&
    Number.isFinite(freeCapacityGb) &&
    Number.isFinite(provisionedCapacityGb) &&
    Number.isFinite(reservedPercentage)
  );
}

function unmeasuredRoom({ totalCapacityGb, freeCapacityGb, reservedPercentage }: CapacityFigures): number {
  if (freeCapacityGb === null) return -Infinity;
  if (isUnmeasured(freeCapacityGb)) return Infinity;
  if (!isUnmeasured(totalCapacityGb) || typeof reservedPercentage !== 'number') return NaN;
  return reservedPercentage === 0 ? Infinity : -Infinity;
}
