import { capacityFactors, isUnmeasured } from '../capacity.js';
import { PythonError } from '../python/python-error.js';
import { isTruthy } from '../python/value.js';
import type { Weigher, WeigherParts } from './weigher.js';

/** A pool without a measured capacity, when much room is what counts: it is the last choice. */
const LAST_CHOICE = -1;

/** How far beyond the others such a pool is put when little room is what counts: times their spread, or as it is. */
const FACTOR_BEYOND = 100;
const DISTANCE_BEYOND = 10_000;

/** Prefers the pools with the most room. Rule: cinder/scheduler/weights/capacity.py, `CapacityWeigher`. */
export const capacityWeigher = ({ capacityWeightMultiplier: multiplier }: WeigherParts): Weigher => ({
  name: 'CapacityWeigher',
  multiplier,

  weigh(pool, request) {
    const { totalCapacityGb, freeCapacityGb, thinProvisioningSupport } = pool;
    const isThin = request.isThin && isTruthy(thinProvisioningSupport); // then what is free counts for nothing
    const isUnsaid = freeCapacityGb === null && !isThin;
    if (isUnmeasured(totalCapacityGb) || isUnmeasured(freeCapacityGb) || isUnsaid) {
      return multiplier > 0 ? LAST_CHOICE : Infinity;
    }
    return capacityFactors(pool, request.isThin).virtualFreeCapacity;
  },

  column: ({ isThin }) => (isThin ? 'thinFree' : 'thickFree'),

  settle: putInfinitiesWithinReach,
});

/** Throws PythonError when there is no finite weight to measure by. */
function putInfinitiesWithinReach(weights: Float64Array): void {
  if (!weights.includes(Infinity)) return;
  const finite = weights.filter(Number.isFinite);
  if (finite.length === 0) throw new PythonError('ValueError', 'no candidate has a measured capacity');
  const [least, most] = [finite.reduce((a, b) => Math.min(a, b)), finite.reduce((a, b) => Math.max(a, b))];
  const reach = most === least ? most + DISTANCE_BEYOND : most + FACTOR_BEYOND * (most - least);
  for (const [index, weight] of weights.entries()) {
    if (weight === Infinity) weights[index] = reach;
  }
}
