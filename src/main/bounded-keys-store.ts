import { countIdempotency, projectOfKey } from '../db/idempotency.js';
import { CommitUnknown, type Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';

export interface BoundedKeysOptions {
  /** Most idempotency keys of a project that are kept at a time. */
  readonly limit: number;
  /** How long a count is believed, ms. @default 60000 */
  readonly recountMs?: number;
  /** Monotonic, ms. @default performance.now */
  readonly now?: () => number;
}

interface Count {
  /** As it was read, and what was taken since; a promise while it is read. */
  keys: number | Promise<number>;
  readonly readAt: number;
}

const RECOUNT_MS = 60_000;
/** Of projects; one more forgets the one that was counted first. */
const MAX_COUNTS = 10_000;

/**
 * A store that refuses a unit with an idempotency key where its project has too many: nothing else bounds what a hostile client
 * leaves behind. Keys are counted once a minute and project, in between what this process takes is added, unless the unit is
 * refused: several processes may pass the limit by what the others take in a minute. Throws Fault TooManyIdempotencyKeys.
 */
export function boundedKeysStore(
  store: Store,
  { limit, recountMs = RECOUNT_MS, now = () => performance.now() }: BoundedKeysOptions,
): Store {
  const counts = new Map<string, Count>();

  /** Answers what undoes it. */
  async function take(projectId: string): Promise<() => void> {
    let count = counts.get(projectId);
    if (!count || now() - count.readAt > recountMs) {
      count = { keys: countIdempotency(store, projectId, limit), readAt: now() };
      counts.delete(projectId);
      counts.set(projectId, count);
      const [oldest = projectId] = counts.keys();
      if (counts.size > MAX_COUNTS) counts.delete(oldest);
    }
    try {
      const read = await count.keys;
      // another request may have taken one while this one waited
      const keys = typeof count.keys === 'number' ? count.keys : read;
      if (keys >= limit) throw new Fault('TooManyIdempotencyKeys', { limit });
      count.keys = keys + 1;
      const taken = count;
      return () => {
        if (typeof taken.keys === 'number') taken.keys -= 1;
      };
    } catch (error) {
      if (typeof count.keys !== 'number') counts.delete(projectId);
      throw error;
    }
  }

  return {
    dialect: store.dialect,
    read: (statement, until) => store.read(statement, until),
    close: () => store.close(),
    async apply(unit, until) {
      const undos: (() => void)[] = [];
      try {
        for (const step of unit) {
          const projectId = projectOfKey(step);
          if (projectId !== undefined) undos.push(await take(projectId));
        }
        return await store.apply(unit, until);
      } catch (error) {
        if (!(error instanceof CommitUnknown)) for (const undo of undos) undo();
        throw error;
      }
    },
  };
}
