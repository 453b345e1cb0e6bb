import type { PoolState } from './pool-state.js';
import { get } from './python/value.js';

/** What is strange about what a pool reports, in one word for programs. */
export type OddityKind = (typeof ODDITY_KINDS)[number];

export const ODDITY_KINDS = ['stale', 'clock_ahead', 'contradictory', 'negative', 'listed_twice'] as const;

/** Something about a pool that decisions go on with, and that an operator should look into. */
export interface Oddity {
  readonly kind: OddityKind;
  /** In words, for operators. */
  readonly text: string;
}

/** The times that a report's age is measured by, ms. */
export interface Times {
  readonly now: number;
  /** How often backends report. */
  readonly intervalMs: number;
}

/** Reports that may fail to come before a pool is stale. */
const MISSED_REPORTS = 3;

/** What is odd about a pool, as last reported; nothing is the rule. */
export function odditiesOf(pool: PoolState, times: Times): readonly Oddity[] {
  const found: Oddity[] = [];
  const add = (kind: OddityKind, text: string | undefined): void => {
    if (text !== undefined) found.push({ kind, text });
  };
  add('stale', staleness(pool, times));
  add('clock_ahead', lead(pool, times));
  add('contradictory', contradictions(pool));
  add('negative', negatives(pool));
  if (pool.timesListed > 1) add('listed_twice', `its backend lists it ${pool.timesListed} times; the last one counts`);
  return found;
}

function staleness({ reportedAt }: PoolState, { now, intervalMs }: Times): string | undefined {
  const ageMs = now - reportedAt;
  return ageMs > MISSED_REPORTS * intervalMs ? `last reported ${seconds(ageMs)} s ago` : undefined;
}

/** Until its time has come such a report overrules every placement after it, and every report with the right time. */
function lead({ reportedAt }: PoolState, { now, intervalMs }: Times): string | undefined {
  const leadMs = reportedAt - now;
  return leadMs > intervalMs ? `reported ${seconds(leadMs)} s ahead of the scheduler's clock` : undefined;
}

/** For so many reports in a row volumes on their way, which are allocated before they are provisioned, are no explanation. */
const OVER_ALLOCATED_REPORTS = 3;

function contradictions(pool: PoolState): string | undefined {
  const [total, free] = [figure(pool, 'total_capacity_gb'), figure(pool, 'free_capacity_gb')];
  const [allocated, provisioned] = [figure(pool, 'allocated_capacity_gb'), figure(pool, 'provisioned_capacity_gb')];
  const reserved = figure(pool, 'reserved_percentage');
  return sentence([
    ...(free > total ? [`free_capacity_gb ${free} is more than total_capacity_gb ${total}`] : []),
    ...(pool.timesOverAllocated >= OVER_ALLOCATED_REPORTS
      ? [`allocated_capacity_gb ${allocated} is more than provisioned_capacity_gb ${provisioned}`]
      : []),
    ...(reserved > 100 ? [`reserved_percentage ${reserved} is more than 100`] : []),
  ]);
}

const FIGURES = [
  ...['total_capacity_gb', 'free_capacity_gb', 'allocated_capacity_gb', 'provisioned_capacity_gb'],
  ...['reserved_percentage'],
];

function negatives(pool: PoolState): string | undefined {
  return sentence(FIGURES.flatMap((key) => (figure(pool, key) < 0 ? [`${key} is ${figure(pool, key)}`] : [])));
}

/** NaN, which is neither more nor less than anything, for what is no number. */
function figure({ capabilities }: PoolState, key: string): number {
  const value = get(capabilities, key);
  return typeof value === 'number' ? value : NaN;
}

function sentence(parts: readonly string[]): string | undefined {
  return parts.length === 0 ? undefined : parts.join('; ');
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}
