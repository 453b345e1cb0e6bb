import { setTimeout as pause } from 'node:timers/promises';
import { isStoreOutage } from '../db/outage.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Repeats `attempt` while the database is away: what was done on a backend must be recorded, and a volume must not be lost
 * to a short outage. Ends with the signal, which a process whose heartbeat stays unwritten aborts.
 *
 * A unit whose commit is unknown is repeated too: one that ends the claim meets the fence if it had been committed.
 */
export async function patiently<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isStoreOutage(error)) throw error;
      await pause(pauseMs, undefined, { signal });
    }
  }
}
