import { appendVolumeEvent } from '../db/events.js';
import { findParked, removeParked, resumeWorker } from '../db/parked-work.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { transition } from '../db/volume-transitions.js';
import type { OrphanedWorker } from '../db/worker-search.js';
import type { Log } from '../log/log.js';
import { type Rounds, rounds } from '../time/rounds.js';

/** Rows resumed in one round. */
const ROUND = 64;

export interface ParkedOptions {
  readonly store: Store;
  /** Backends of this process that work and are registered, `host@backend`. */
  readonly backends: () => readonly string[];
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** @default 1000 */
  readonly intervalMs?: number;
}

/**
 * Resumes deletions that were parked while a backend of this process was away: the volume is `deleting` again, and the work
 * is sent as if it had just been asked for. A volume that has moved on meanwhile is left alone, and its row goes.
 * Rule: docs/protocols.md §W TAKEOVER.
 */
export function resumeParked(options: ParkedOptions): Rounds {
  return rounds({
    intervalMs: options.intervalMs ?? 1_000,
    round: () => once(options),
    onError: (error) => options.log.warn('parked deletions cannot be looked for', { error }),
  });
}

async function once({ store, backends, log }: ParkedOptions): Promise<boolean> {
  const targets = backends();
  if (targets.length === 0) return false;
  const parked = await findParked(store, { targets, limit: ROUND });
  for (const row of parked) {
    const { resourceId, target } = row;
    const isResumed = await written(() => resume(store, row));
    if (isResumed) log.info('a deletion goes on: its backend is back', { resourceId, target });
    else if (await written(() => store.apply([removeParked(row)]))) {
      log.warn('a parked deletion was dropped: its volume has moved on', { resourceId, target });
    }
  }
  return parked.length === ROUND;
}

/** The record first: whoever deletes by force meanwhile locks it first too. */
function resume(store: Store, row: OrphanedWorker): Promise<unknown> {
  const { resourceId, context } = row;
  const event = { volumeId: resourceId, type: 'volume.delete.resumed', requestId: context.requestId };
  return store.apply([
    transition('resumeDelete', { id: resourceId }),
    resumeWorker(row, 'deleting'),
    appendVolumeEvent(event),
  ]);
}

/** False when the rows are not as they must be. */
async function written(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (error instanceof RowCountMismatch) return false;
    throw error;
  }
}
