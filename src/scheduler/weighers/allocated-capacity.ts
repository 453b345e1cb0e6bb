import { operand } from '../python/number.js';
import type { Weigher, WeigherParts } from './weigher.js';

/** Prefers the pools with the least that is allocated. Rule: cinder/scheduler/weights/capacity.py, `AllocatedCapacityWeigher`. */
export const allocatedCapacityWeigher = (parts: WeigherParts): Weigher => ({
  name: 'AllocatedCapacityWeigher',
  multiplier: parts.allocatedCapacityWeightMultiplier,
  column: () => 'allocated',
  weigh: (pool) => operand(pool.allocatedCapacityGb),
});
