import type { FieldViolation } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import { isUnmeasured, maxOverSubscriptionRatio } from './capacity.js';
import { parseFloatText, toFloat } from './python/number.js';
import { PythonError } from './python/python-error.js';
import { get, isList, isMap, type Value, type ValueMap } from './python/value.js';

/** What a backend says of itself and its pools. */
export interface CapabilityReport {
  /** `host@backend`. */
  readonly host: string;
  readonly clusterName: string | null;
  /** When it was made, ms by the scheduler's clock. */
  readonly timestamp: number;
  /** How far the clock of its host is ahead of the scheduler's, ms; negative: behind. @default they agree */
  readonly clockAheadMs?: number;
  /** Cinder's names; `pools` is a list, or absent when the backend is its only pool. */
  readonly capabilities: ValueMap;
  /** Capacity claims that are over since the last report. @default none */
  readonly includedClaims?: readonly IncludedClaim[];
}

/** A claim that is over: the report's figures include its volume, or the volume was not made. */
export interface IncludedClaim {
  readonly volumeId: string;
  /** Of the volume service's claim on the work; the scheduler's was a lower one. */
  readonly epoch: number;
  /** Name of the pool. */
  readonly pool: string;
}

/** Under which name a report is kept: the cluster's, or else the host's. */
export function reportKey({ host, clusterName }: Pick<CapabilityReport, 'host' | 'clusterName'>): string {
  return clusterName ?? host;
}

/** The name of a pool of a checked report. */
export function poolName(pool: ValueMap): string {
  const name = get(pool, 'pool_name');
  return typeof name === 'string' ? name : '';
}

const MAX_VIOLATIONS = 10;
const NO_TIME: FieldViolation = { field: 'timestamp', description: 'must be a time that there is' };

/**
 * Refuses, with InvalidInput, a report whose pools could not be made, or could not be compared with others. Cinder takes it
 * and then fails every request until the next report; here the pools stay as they were and the reporter hears of it.
 */
export function checkReport({ capabilities, timestamp }: CapabilityReport, globalRatio: string): void {
  const pools = get(capabilities, 'pools') ?? null;
  const ofPools = isList(pools)
    ? pools.flatMap((pool, index) => poolViolations(pool, `capabilities.pools[${index}]`, globalRatio))
    : figureViolations(capabilities, 'capabilities', globalRatio);
  const violations = [...(Number.isFinite(timestamp) ? [] : [NO_TIME]), ...ofPools];
  if (violations.length === 0) return;
  const omitted = Math.max(0, violations.length - MAX_VIOLATIONS);
  throw new Fault('InvalidInput', { violations: violations.slice(0, MAX_VIOLATIONS), omitted });
}

function poolViolations(pool: unknown, field: string, globalRatio: string): FieldViolation[] {
  if (!isMap(pool as ValueMap)) return [{ field, description: 'must be a mapping' }];
  const name = get(pool as ValueMap, 'pool_name');
  const named = typeof name === 'string' && name !== '';
  return [
    ...(named ? [] : [{ field: `${field}.pool_name`, description: 'must be a non-empty text' }]),
    ...figureViolations(pool as ValueMap, field, globalRatio),
  ];
}

function figureViolations(pool: ValueMap, field: string, globalRatio: string): FieldViolation[] {
  const unusable = FIGURES.flatMap(({ key, isUsable, description }) => {
    const value = get(pool, key);
    return value === undefined || isUsable(value) ? [] : [{ field: `${field}.${key}`, description }];
  });
  return unusable.length > 0
    ? unusable
    : [...reservedViolations(pool, field), ...ratioViolations(pool, field, globalRatio)];
}

/** What filters and weighers calculate with. Cinder reads some of them from text, too. */
const FIGURES: readonly {
  readonly key: string;
  readonly isUsable: (value: Value) => boolean;
  readonly description: string;
}[] = [
  {
    key: 'total_capacity_gb',
    isUsable: (value) => isUnmeasured(value) || isNumeral(value),
    description: 'must be a finite number, `infinite` or `unknown`',
  },
  {
    key: 'free_capacity_gb',
    isUsable: (value) => isUnmeasured(value) || isNumber(value) || value === null,
    description: 'must be a finite number, `infinite`, `unknown` or null',
  },
  { key: 'allocated_capacity_gb', isUsable: isNumber, description: 'must be a finite number' },
  { key: 'provisioned_capacity_gb', isUsable: isNumber, description: 'must be a finite number' },
  { key: 'reserved_percentage', isUsable: isNumeral, description: 'must be a finite number' },
];

function isNumber(value: Value): boolean {
  return typeof value === 'boolean' || Number.isFinite(value);
}

function isNumeral(value: Value): boolean {
  return typeof value === 'string' ? Number.isFinite(parseFloatText(value)) : isNumber(value);
}

function reservedViolations(pool: ValueMap, field: string): FieldViolation[] {
  const [total, percentage] = [get(pool, 'total_capacity_gb') ?? 0, get(pool, 'reserved_percentage') ?? 0];
  if (isUnmeasured(total) || Number.isFinite(toFloat(total) * (toFloat(percentage) / 100))) return [];
  return [{ field: `${field}.reserved_percentage`, description: 'must reserve a finite part of total_capacity_gb' }];
}

function ratioViolations(pool: ValueMap, field: string, globalRatio: string): FieldViolation[] {
  try {
    maxOverSubscriptionRatio(pool, globalRatio);
    return [];
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    return [{ field: `${field}.max_over_subscription_ratio`, description: `cannot be computed: ${error.message}` }];
  }
}
