import { get, type ValueMap } from './python/value.js';

export const ODDITY_KINDS = [
  'stale',
  'clock_ahead',
  'clock_behind',
  'contradictory',
  'negative',
  'listed_twice',
] as const;

/** What is strange about what a pool reports, in one word for programs. */
export type OddityKind = (typeof ODDITY_KINDS)[number];

/** Something about a pool that decisions go on with, and that an operator should look into. */
export interface Oddity {
  readonly kind: OddityKind;
  /** In words, for operators. */
  readonly text: string;
}

/** For so many reports in a row volumes on their way are no explanation. */
const OVER_ALLOCATED_REPORTS = 3;

/** What is odd about the figures of a report, `times` over-allocated in a row. Nothing is the rule, and costs nothing. */
export function oddFigures(capabilities: ValueMap, times: number): readonly Oddity[] {
  const beyond = contradictions(capabilities, times >= OVER_ALLOCATED_REPORTS);
  const below = FIGURES.filter((key) => figure(capabilities, key) < 0);
  if (beyond.length === 0 && below.length === 0) return NONE;
  const negative = below.map((key) => `${key} is ${figure(capabilities, key)}`);
  return [
    ...(beyond.length > 0 ? [{ kind: 'contradictory', text: beyond.join('; ') } as const] : []),
    ...(negative.length > 0 ? [{ kind: 'negative', text: negative.join('; ') } as const] : []),
  ];
}

/**
 * How many reports in a row say that the same is allocated, and that it is more than provisioned, after `times` up to the last.
 * Volumes on their way are allocated before they are provisioned; while they come and go the figure changes.
 */
export function timesOverAllocated(times: number, last: ValueMap, next: ValueMap): number {
  const allocated = figure(next, 'allocated_capacity_gb');
  if (!(allocated > figure(next, 'provisioned_capacity_gb'))) return 0;
  return allocated === figure(last, 'allocated_capacity_gb') ? times + 1 : 1;
}

function contradictions(capabilities: ValueMap, isOverAllocatedForLong: boolean): readonly string[] {
  const found: string[] = [];
  const [free, total] = [figure(capabilities, 'free_capacity_gb'), figure(capabilities, 'total_capacity_gb')];
  if (free > total) found.push(`free_capacity_gb ${free} is more than total_capacity_gb ${total}`);
  if (isOverAllocatedForLong) {
    const [allocated, provisioned] = ['allocated_capacity_gb', 'provisioned_capacity_gb'].map((key) =>
      figure(capabilities, key),
    );
    found.push(`allocated_capacity_gb ${allocated} is more than provisioned_capacity_gb ${provisioned}`);
  }
  const reserved = figure(capabilities, 'reserved_percentage');
  if (reserved > 100) found.push(`reserved_percentage ${reserved} is more than 100`);
  return found;
}

/** NaN, which is neither more nor less than anything, for what is no number. */
function figure(capabilities: ValueMap, key: string): number {
  const value = get(capabilities, key);
  return typeof value === 'number' ? value : NaN;
}

const NONE: readonly Oddity[] = [];

const FIGURES = [
  ...['total_capacity_gb', 'free_capacity_gb', 'allocated_capacity_gb', 'provisioned_capacity_gb'],
  ...['reserved_percentage'],
];
