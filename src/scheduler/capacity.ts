import { operand, roundToHundredths, toFloat } from './python/number.js';
import { PythonError } from './python/python-error.js';
import { get, isTruthy, type Value, type ValueMap } from './python/value.js';

/** What the arithmetic starts from; GiB as reported, so any of it may be text or nothing. */
export interface CapacityFigures {
  readonly totalCapacityGb: Value;
  readonly freeCapacityGb: Value;
  readonly provisionedCapacityGb: Value;
  readonly reservedPercentage: Value;
  readonly thinProvisioningSupport: Value;
  readonly maxOverSubscriptionRatio: number;
}

/** What follows from them; GiB rounded to hundredths where Cinder rounds. */
export interface CapacityFactors {
  readonly isThin: boolean;
  readonly totalCapacity: number;
  readonly freeCapacity: Value;
  /** Whole GiB. */
  readonly reservedCapacity: number;
  readonly totalReservedAvailableCapacity: number;
  /** With the over-subscription already in it. */
  readonly totalAvailableCapacity: number;
  readonly provisionedCapacity: number;
  readonly calculatedFreeCapacity: number;
  /** What a new volume may take. */
  readonly virtualFreeCapacity: number;
  readonly freePercent: number;
  readonly provisionedRatio: number;
}

/**
 * Derives the capacity factors of a pool for a thin or a thick volume. Throws PythonError for figures that are no
 * numbers. Rule: cinder/scheduler/sched_utils.py, `calculate_capacity_factors`.
 */
export function capacityFactors(figures: CapacityFigures, wantsThin: boolean): CapacityFactors {
  const isThin = wantsThin && isTruthy(figures.thinProvisioningSupport);
  const total = toFloat(figures.totalCapacityGb);
  const reserved = wholeGib(total * (toFloat(figures.reservedPercentage) / 100));
  const totalReservedAvailable = total - reserved;
  const totalAvailable = isThin ? totalReservedAvailable * figures.maxOverSubscriptionRatio : totalReservedAvailable;
  const provisioned = operand(figures.provisionedCapacityGb);
  const calculatedFree = totalAvailable - provisioned;
  const virtualFree = isThin ? calculatedFree : Math.min(calculatedFree, operand(figures.freeCapacityGb));

  return {
    isThin,
    totalCapacity: total,
    freeCapacity: figures.freeCapacityGb,
    reservedCapacity: reserved,
    totalReservedAvailableCapacity: roundToHundredths(totalReservedAvailable),
    totalAvailableCapacity: roundToHundredths(totalAvailable),
    provisionedCapacity: provisioned,
    calculatedFreeCapacity: roundToHundredths(calculatedFree),
    virtualFreeCapacity: roundToHundredths(virtualFree),
    freePercent: totalAvailable === 0 ? 0 : roundToHundredths((virtualFree / totalAvailable) * 100),
    provisionedRatio: totalAvailable === 0 ? 0 : roundToHundredths(provisioned / totalAvailable),
  };
}

/** Whether a figure is one of the two words that stand for a capacity without a number. */
export function isUnmeasured(figure: Value | undefined): boolean {
  return figure === 'infinite' || figure === 'unknown';
}

/**
 * The over-subscription ratio a pool gets when its report is applied; 1 where over-subscription means nothing. Throws
 * PythonError for a ratio that is no number. Rule: cinder/scheduler/sched_utils.py, `calculate_max_over_subscription_ratio`.
 */
export function maxOverSubscriptionRatio(report: ValueMap, globalRatio: string): number {
  const total = figure(report, 'total_capacity_gb', 0);
  const free = figure(report, 'free_capacity_gb', 0);
  if (!isTruthy(get(report, 'thin_provisioning_support')) || isUnmeasured(total) || isUnmeasured(free)) return 1;

  const reported = get(report, 'max_over_subscription_ratio');
  const ratio = isTruthy(reported) ? reported : globalRatio;
  if (ratio !== 'auto') return toFloat(ratio);

  const provisioned = operand(provisionedCapacity(report));
  return provisioned === 0 ? UNUSED_AUTO_RATIO : 1 + quotient(provisioned, operand(total) - operand(free) + 1);
}

/** What a pool reports under a key; a key that is reported as null stays null, only an absent one has a default. */
export function figure(report: ValueMap, key: string, missing: Value): Value {
  const value = get(report, key);
  return value === undefined ? missing : value;
}

/** What is provisioned in a pool: what is allocated, unless it says otherwise. */
export function provisionedCapacity(report: ValueMap): Value {
  return figure(report, 'provisioned_capacity_gb', figure(report, 'allocated_capacity_gb', 0));
}

/** The ratio `auto` gives a pool in which nothing is provisioned. */
const UNUSED_AUTO_RATIO = 20;

/** Python's `dividend / divisor`. Throws ZeroDivisionError. */
export function quotient(dividend: number, divisor: number): number {
  if (divisor === 0) throw new PythonError('ZeroDivisionError', 'division by zero');
  return dividend / divisor;
}

function wholeGib(reserved: number): number {
  if (!Number.isFinite(reserved)) throw new PythonError('OverflowError', 'the reserved capacity is no finite number');
  return Math.floor(reserved);
}
