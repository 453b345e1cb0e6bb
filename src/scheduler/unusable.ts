import { Fault } from '../errors/fault.js';
import { PythonError } from './python/python-error.js';

/**
 * What to throw when `asker` could not work with what `pool` reports: UnusableCapability for a PythonError, and Cinder,
 * too, fails the whole request there. Any other error is a defect, and stays what it is.
 */
export function unusable(error: unknown, pool: string, asker: string): unknown {
  if (!(error instanceof PythonError)) return error;
  return new Fault('UnusableCapability', { pool, asker, reason: error.message }, { cause: error });
}
