import { type Failure, failVolume, type MessageParts } from '../casts/fail-volume.js';
import { findForsakenDeletions, parkWorker } from '../db/parked-work.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { takeOverWorker } from '../db/worker-claims.js';
import type { OrphanedWorker } from '../db/worker-search.js';
import { isFault } from '../errors/fault.js';
import type { Log } from '../log/log.js';
import { type Rounds, rounds } from '../time/rounds.js';

/** Rows parked in one round. */
const ROUND = 64;

export interface ForsakenOptions extends MessageParts {
  readonly store: Store;
  /** Heartbeat age at which a backend counts as down, ms. */
  readonly downAfterMs: number;
  /** `cleanup_give_up_time`, ms. */
  readonly giveUpAfterMs: number;
  /** Our incarnation. */
  readonly owner: string;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** @default 1000 */
  readonly intervalMs?: number;
}

/**
 * Parks deletions whose backend has been away for too long: the volume is `error_deleting`, its owner has a message, and
 * the work goes on when the backend is back. Rule: docs/protocols.md §W TAKEOVER.
 */
export function parkForsaken(options: ForsakenOptions): Rounds {
  return rounds({
    intervalMs: options.intervalMs ?? 1_000,
    round: () => once(options),
    onError: (error) => options.log.warn('forsaken deletions cannot be looked for', { error }),
  });
}

async function once(options: ForsakenOptions): Promise<boolean> {
  const { store, downAfterMs, giveUpAfterMs: olderThanMs } = options;
  const forsaken = await findForsakenDeletions(store, { downAfterMs, olderThanMs, limit: ROUND });
  let parked = 0;
  for (const row of forsaken) {
    try {
      await park(options, row);
      parked += 1;
    } catch (error) {
      if (isFault(error)) throw error; // no database, no next row
      if (error instanceof RowCountMismatch) continue; // somebody was faster
      options.log.warn('a forsaken deletion cannot be parked', { resourceId: row.resourceId, error });
    }
  }
  return parked === ROUND;
}

async function park(options: ForsakenOptions, row: OrphanedWorker): Promise<void> {
  const { store, owner, log } = options;
  const { resourceId, target, ageMs } = row;
  await store.apply([
    { ...takeOverWorker(row, { owner, serviceId: null }), rows: 1 },
    ...failVolume(options, row, AWAY),
    parkWorker({ ...row, epoch: row.epoch + 1, owner }, 'error_deleting'),
  ]);
  log.warn('a deletion is parked: its backend is away', { resourceId, target, ageMs });
}

const AWAY: Failure = {
  work: 'delete',
  reason: 'The deletion goes on by itself when it is back.',
  action: 'DELETE_VOLUME',
  detail: 'BACKEND_AWAY',
};
