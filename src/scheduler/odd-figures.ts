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

/** For so many reports in a row volumes on their way, which are allocated before they are provisioned, are no explanation. */
const OVER_ALLOCATED_REPORTS = 3;

/** What is odd about the figures of a report, after `timesOverAllocated` of a kind. Nothing is the rule, and costs nothing. */
export function oddFigures(capabilities: ValueMap, timesOverAllocated: number): readonly Oddity[] {
  const beyond = contradictions(capabilities, timesOverAllocated >= OVER_ALLOCATED_REPORTS);
  const below = FIGURES.filter((key) => figure(capabilities, key) < 0);
  if (beyond.length === 0 && below.length === 0) return NONE;
  const negative = below.map((key) => `${key} is ${figure(capabilities, key)}`);
  return [
    ...(beyond.length > 0 ? [{ kind: 'contradictory', text: beyond.join('; ') } as const] : []),
    ...(negative.length > 0 ? [{ kind: 'negative', text: negative.join('; ') } as const] : []),
  ];
}

/** Whether more is allocated than provisioned. */
export function isOverAllocated(capabilities: ValueMap): boolean {
  return figure(capabilities, 'allocated_capacity_gb') > figure(capabilities, 'provisioned_capacity_gb');
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
