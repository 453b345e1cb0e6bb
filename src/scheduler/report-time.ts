import type { CapabilityReport } from './report.js';

/** A report that was made longer ago than this, or later than now, was stamped by another clock, ms. */
const MOST_ON_THE_WAY_MS = 10_000;

/**
 * When a report was made, by the scheduler's clock. Cinder compares the stamps of all hosts with its own clock: one that is ahead
 * then overrules every placement, and every report after the clock was set right; one that is behind is overruled by every
 * placement. Here a stamp that cannot be right counts as of its arrival.
 */
export function timeOfReport(
  made: number | undefined,
  now: number,
): Pick<CapabilityReport, 'timestamp' | 'clockAheadMs'> {
  if (made === undefined) return { timestamp: now };
  const aheadMs = made - now;
  const isPlausible = Math.abs(aheadMs) <= MOST_ON_THE_WAY_MS || !Number.isFinite(made);
  return isPlausible ? { timestamp: made } : { timestamp: now, clockAheadMs: aheadMs };
}
