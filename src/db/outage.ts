import { Fault } from '../errors/fault.js';
import { CommitUnknown } from './store.js';

/** Whether it is the store that failed, for now: it was away, or does not say what it did. What was asked of it is no failure. */
export function isStoreOutage(error: unknown): boolean {
  return error instanceof CommitUnknown || Fault.is(error, 'DatabaseUnavailable');
}
