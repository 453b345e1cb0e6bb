import type { Oddity } from './odd-figures.js';
import type { PoolState } from './pool-state.js';

/** The times that a report's age is measured by, ms. */
export interface Times {
  readonly now: number;
  /** How often backends report. */
  readonly intervalMs: number;
}

/** Reports that may fail to come before a pool is stale. */
const MISSED_REPORTS = 3;

/** What is odd about a pool, as last reported; nothing is the rule, and is told at once of thousands. */
export function odditiesOf(pool: PoolState, { now, intervalMs }: Times): readonly Oddity[] {
  const ageMs = now - pool.reportedAt;
  const isStale = ageMs > MISSED_REPORTS * intervalMs;
  const isAhead = -ageMs > intervalMs;
  if (!isStale && !isAhead && pool.clockAheadMs === 0 && pool.timesListed === 1) return pool.oddFigures;
  const found: Oddity[] = [...pool.oddFigures];
  if (isStale) found.push({ kind: 'stale', text: `last reported ${seconds(ageMs)} s ago` });
  const aheadMs = isAhead ? -ageMs : pool.clockAheadMs;
  if (aheadMs > 0) {
    found.push({ kind: 'clock_ahead', text: `reported ${seconds(aheadMs)} s ahead of the scheduler's clock` });
  }
  if (aheadMs < 0) {
    found.push({ kind: 'clock_behind', text: `reported ${seconds(-aheadMs)} s behind the scheduler's clock` });
  }
  if (pool.timesListed > 1) {
    const text = `its backend lists it ${pool.timesListed} times; the last one counts`;
    found.push({ kind: 'listed_twice', text });
  }
  return found;
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}
