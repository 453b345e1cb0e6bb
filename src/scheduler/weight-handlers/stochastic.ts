import type { WeightHandler } from './weight-handler.js';

/**
 * A draw among all pools, each as likely as its weight is great; the others follow in the pools' order, begun at the winner.
 * Weights are added as they are. Rule: cinder/scheduler/weights/stochastic.py.
 */
export const stochasticWeightHandler = (random: () => number): WeightHandler => ({
  name: 'StochasticHostWeightHandler',

  add(raw, multiplier, totals) {
    for (let index = 0; index < raw.length; index += 1)
      (totals[index] as number) += multiplier * (raw[index] as number);
  },

  shortlist(weights, mayTake, count) {
    const listed: number[] = [];
    for (const index of fromWinner(weights, random())) {
      if (listed.length === count) break;
      if (mayTake(index)) listed.push(index);
    }
    return listed;
  },

  rank: (weights) => fromWinner(weights, random()),
});

/** `drawn`: 0 or more, less than 1. */
function fromWinner(weights: Float64Array, drawn: number): Uint32Array {
  const winner = winnerOf(weights, drawn);
  return Uint32Array.from(weights, (_, index) => (index + winner) % weights.length);
}

/** Where the running sum first exceeds the draw; the first pool when it never does. */
function winnerOf(weights: Float64Array, drawn: number): number {
  const mark = drawn * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const winner = weights.findIndex((weight) => (sum += weight) > mark);
  return Math.max(winner, 0);
}
