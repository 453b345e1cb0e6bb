import { descending, orLeast } from './descending.js';
import type { WeightHandler } from './weight-handler.js';

/** Best first; of equals the one that comes first among the pools. Rule: cinder/scheduler/base_weight.py. */
export const orderedWeightHandler: WeightHandler = {
  name: 'OrderedHostWeightHandler',
  add: addNormalised,
  shortlist,
  rank: descending,
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

/** In one pass: most are worse than the last of a full list, and cost one comparison. */
function shortlist(weights: Float64Array, mayTake: (index: number) => boolean, count: number): number[] {
  const listed: number[] = [];
  const weightOf = (index: number): number => orLeast(weights[index] as number); // index is in range
  let bar = NaN; // nothing is below it until the list is full
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weightOf(index);
    if (weight <= bar || !mayTake(index)) continue;
    let at = listed.length;
    while (at > 0 && weightOf(listed[at - 1] as number) < weight) at -= 1;
    listed.splice(at, 0, index);
    if (listed.length > count) listed.pop();
    if (listed.length === count && count > 0) bar = weightOf(listed[count - 1] as number);
  }
  return listed;
}
