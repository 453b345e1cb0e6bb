import { workAt } from '../db/backend-records.js';
import { forgetLeftover, type Leftover, leftoversOf } from '../db/leftovers.js';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import type { Log } from '../log/log.js';
import { poolOf } from '../objects/backend-name.js';
import { type Rounds, rounds } from '../time/rounds.js';
import type { Backend } from './backend.js';
import { unexplainedIn } from './storage-look.js';

/** Read at a time. */
const PAGE = 64;

export interface LeftoversOptions {
  readonly store: Store;
  readonly backend: Backend;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Told of each file that was put away; never throws. */
  readonly onPutAway: () => void;
  readonly intervalMs: number;
}

/**
 * Puts away what a backend has made of volumes that were placed anew meanwhile, because it died, or failed and could not
 * remove it. No grace is needed and no doubt whose it is: a row says that the volume was never finished here.
 * Rule: docs/protocols.md §W RESCHEDULE.
 */
export function putAwayLeftovers(options: LeftoversOptions): Rounds {
  const stopping = new AbortController();
  const looks = rounds({
    intervalMs: options.intervalMs,
    round: () => look(options, stopping.signal),
    onError: (error) => {
      if (!stopping.signal.aborted)
        options.log.warn('leftovers cannot be put away', { backend: options.backend.name, error });
    },
  });
  return {
    start: () => looks.start(),
    stop() {
      stopping.abort();
      return looks.stop();
    },
  };
}

async function look(options: LeftoversOptions, signal: AbortSignal): Promise<void> {
  const { store, backend } = options;
  if (!backend.isUp) return;
  let after: Leftover | undefined;
  do {
    const page = await leftoversOf(store, { backend: backend.name, after, limit: PAGE });
    for (const leftover of page) {
      // a copy may go on for hours: neither the others nor the end of the process wait for it
      if (!backend.isAtWorkOn(leftover.volumeId)) await putAway(options, leftover, signal);
    }
    after = page.length === PAGE ? page.at(-1) : undefined;
  } while (after !== undefined);
}

async function putAway(
  { store, backend, log, onPutAway }: LeftoversOptions,
  leftover: Leftover,
  signal: AbortSignal,
): Promise<void> {
  const { host, volumeId } = leftover;
  const name = { kind: 'complete', id: volumeId, pool: poolOf(host) ?? '' } as const;
  try {
    // in the volume's lane: no work on it is under way here while we look and move
    await backend.run(volumeId, signal, async () => {
      const { inventory } = backend.driver;
      const isThere = (await inventory.sizeOf(name)) !== undefined; // not in a pool that the backend has no more
      if (isThere) {
        const work = await workAt(store, backend.name, [volumeId]);
        if (work.size > 0) return; // it was placed here again: how that ends is to be seen first
        const [unexplained] = await unexplainedIn(store, backend, [name]);
        if (unexplained && (await inventory.quarantine(name))) {
          log.info('what was made of a volume that went elsewhere was put away', { volumeId, host });
          onPutAway();
        }
      }
      await store.apply([forgetLeftover(leftover)]);
    });
  } catch (error) {
    // one file that cannot be moved does not keep the others; the sweep says so
    if (!Fault.is(error, 'VolumeBackendAPIException') || signal.aborted) throw error;
  }
}
