import { capacityFactors, isUnmeasured, quotient } from '../capacity.js';
import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import { operand, toFloat } from '../python/number.js';
import { isTruthy } from '../python/value.js';
import { ALL_PASS, ASK_EACH, type Filter } from './filter.js';

/** Keeps the pools with room for the volume. Rule: cinder/scheduler/filters/capacity_filter.py. */
export const capacityFilter: Filter = {
  name: 'CapacityFilter',

  passes(pool, request) {
    if (pool.backendId === request.existsOn || request.requestedGib === 0) return true;
    if (pool.freeCapacityGb === null) return false;
    if (isUnmeasured(pool.freeCapacityGb)) return true;
    if (isUnmeasured(pool.totalCapacityGb)) return toFloat(pool.reservedPercentage) === 0;
    return toFloat(pool.totalCapacityGb) > 0 && hasRoom(pool, request);
  },

  shortcut({ requestedGib, isThin, existsOn }) {
    if (requestedGib === 0) return ALL_PASS;
    if (requestedGib === null) return ASK_EACH;
    return { kind: 'least', column: isThin ? 'thinRoom' : 'thickRoom', least: requestedGib, exempt: existsOn };
  },

  reason(pool, { requestedGib, isThin }) {
    if (pool.freeCapacityGb === null) return 'does not say how much is free';
    if (isUnmeasured(pool.totalCapacityGb)) {
      return 'has no measured capacity, so that the part it reserves cannot be kept free';
    }
    if (toFloat(pool.totalCapacityGb) <= 0) return 'has no capacity at all';
    const { virtualFreeCapacity, provisionedCapacity } = capacityFactors(pool, isThin);
    const subscription = `${provisionedCapacity} GiB provisioned, over-subscription ${pool.maxOverSubscriptionRatio}`;
    return `has room for ${virtualFreeCapacity} GiB, ${requestedGib ?? '?'} GiB are asked for (${subscription})`;
  },

  complaint: 'do not have enough room',
};

function hasRoom(pool: Pool, { requestedGib, isThin }: PlacementRequest): boolean {
  const { virtualFreeCapacity, totalAvailableCapacity, provisionedCapacity } = capacityFactors(pool, isThin);
  const isThinThere = isThin && isTruthy(pool.thinProvisioningSupport);
  if (isThinThere && pool.maxOverSubscriptionRatio < 1) return false;
  const requested = operand(requestedGib);
  if (isThinThere) {
    const provisionedRatio = quotient(provisionedCapacity + requested, totalAvailableCapacity);
    if (provisionedRatio > pool.maxOverSubscriptionRatio) return false;
  }
  return virtualFreeCapacity >= requested;
}
