import type { Pool } from '../pool-state.js';
import type { WeightHandler } from './weight-handler.js';

/** Best first; of equals the one that comes first among the pools. Rule: cinder/scheduler/base_weight.py. */
export const orderedWeightHandler: WeightHandler = {
  name: 'OrderedHostWeightHandler',
  add: addNormalised,
  best,
  shortlist,
  rank,
};

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

/** In one pass: most pools are worse than the last of a full list, and cost one comparison. */
function shortlist(
  pools: readonly Pool[],
  weights: Float64Array,
  mayTake: (pool: Pool) => boolean,
  count: number,
): Pool[] {
  const listed: { readonly pool: Pool; readonly weight: number }[] = [];
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number; // index is in range
    if (listed.length === count && weight <= (listed[count - 1]?.weight ?? -Infinity)) continue;
    const pool = pools[index] as Pool;
    if (!mayTake(pool)) continue;
    const at = listed.findIndex((better) => weight > better.weight);
    listed.splice(at === -1 ? listed.length : at, 0, { pool, weight });
    if (listed.length > count) listed.pop();
  }
  return listed.map(({ pool }) => pool);
}

function rank(pools: readonly Pool[], weights: Float64Array): { pool: Pool; weight: number }[] {
  const candidates = pools.slice(0, weights.length).map((pool, index) => ({ pool, weight: weights[index] ?? 0 }));
  return candidates.sort((a, b) => b.weight - a.weight);
}
