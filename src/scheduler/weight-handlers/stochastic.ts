import type { Pool } from '../pool-state.js';
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

  best: (pools, weights, mayTake) => fromWinner(pools, weights, random()).find(({ pool }) => mayTake(pool))?.pool,
  shortlist: (pools, weights, mayTake, count) =>
    fromWinner(pools, weights, random())
      .flatMap(({ pool }) => (mayTake(pool) ? [pool] : []))
      .slice(0, count),
  rank: (pools, weights) => fromWinner(pools, weights, random()),
});

/** `drawn`: 0 or more, less than 1. */
function fromWinner(pools: readonly Pool[], weights: Float64Array, drawn: number): { pool: Pool; weight: number }[] {
  const candidates = pools.slice(0, weights.length).map((pool, index) => ({ pool, weight: weights[index] ?? 0 }));
  const winner = winnerOf(weights, drawn);
  return [...candidates.slice(winner), ...candidates.slice(0, winner)];
}

/** Where the running sum first exceeds the draw; the first pool when it never does. */
function winnerOf(weights: Float64Array, drawn: number): number {
  const mark = drawn * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const winner = weights.findIndex((weight) => (sum += weight) > mark);
  return Math.max(winner, 0);
}
