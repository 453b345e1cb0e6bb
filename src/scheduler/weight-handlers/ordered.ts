import type { Pool } from '../pool-state.js';
import type { WeightHandler } from './weight-handler.js';

/** Best first; of equals the one that comes first among the pools. Rule: cinder/scheduler/base_weight.py. */
export const orderedWeightHandler: WeightHandler = { name: 'OrderedHostWeightHandler', add: addNormalised, best, rank };

/** To 0…1, the least 0 and the most 1; all 0 when there is no difference. */
function addNormalised(weights: Float64Array, multiplier: number, totals: Float64Array): void {
  let [least, most] = [Infinity, -Infinity];
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number; // index is in range
    if (weight < least) least = weight;
    if (weight > most) most = weight;
  }
  const spread = most - least;
  if (spread === 0) return;
  for (let index = 0; index < weights.length; index += 1) {
    (totals[index] as number) += multiplier * (((weights[index] as number) - least) / spread);
  }
}

function best(pools: readonly Pool[], weights: Float64Array, mayTake: (pool: Pool) => boolean): Pool | undefined {
  let found: Pool | undefined;
  let most = -Infinity;
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number; // index is in range
    if (weight <= most && found !== undefined) continue;
    const pool = pools[index] as Pool;
    if (mayTake(pool)) [found, most] = [pool, weight];
  }
  return found;
}

function rank(pools: readonly Pool[], weights: Float64Array): { pool: Pool; weight: number }[] {
  const candidates = pools.slice(0, weights.length).map((pool, index) => ({ pool, weight: weights[index] ?? 0 }));
  return candidates.sort((a, b) => b.weight - a.weight);
}
