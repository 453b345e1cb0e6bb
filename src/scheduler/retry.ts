import { Fault } from '../errors/fault.js';
import type { Retry } from '../objects/request-spec.js';

/** Throws InvalidParameterValue unless at least one attempt is allowed. */
export function checkMaxAttempts(maxAttempts: number): void {
  if (maxAttempts >= 1) return;
  throw new Fault('InvalidParameterValue', {
    reason: `Invalid value for 'scheduler_max_attempts', must be >= 1, is ${maxAttempts}.`,
  });
}

/**
 * The history with one more attempt begun; undefined when only one is allowed, and then nothing is ever rescheduled.
 * Throws NoValidBackend when the attempts are used up. Rule: cinder/scheduler/filter_scheduler.py, `_populate_retry`.
 */
export function countAttempt(retry: Retry | undefined, maxAttempts: number, volumeId?: string): Retry | undefined {
  if (maxAttempts === 1) return undefined;
  const numAttempts = Math.max(retry?.numAttempts ?? 0, 0) + 1;
  if (numAttempts > maxAttempts) {
    const subject = volumeId === undefined ? 'this request' : `volume ${volumeId}`;
    throw new Fault('NoValidBackend', { reason: `All ${maxAttempts} attempts to place ${subject} have failed.` });
  }
  return { numAttempts, backends: retry?.backends ?? [], exc: [] };
}

/** The history with a backend noted as tried. Rule: cinder/scheduler/filter_scheduler.py, `_add_retry_backend`. */
export function noteBackend(retry: Retry | undefined, backendId: string): Retry | undefined {
  return retry && { ...retry, backends: [...retry.backends, backendId] };
}
