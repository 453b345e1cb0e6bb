import type { Step } from '../db/store.js';
import { deleteReadyWorker, type ReadyWorker } from '../db/workers.js';
import { failVolume, type MessageParts } from './fail-volume.js';

/** Age at which work that nobody could do is given up, ms. Rule: docs/protocols.md §W SEND, age. */
export const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/** Ends work that no process has taken for too long. Rule: docs/protocols.md §W SEND, age. */
export function giveUp(parts: MessageParts, cast: ReadyWorker): readonly Step[] {
  return end(parts, cast, 'No service has taken the work for too long.');
}

/** Ends work that the services there are cannot do. Rule: docs/protocols.md §W SEND, NOT_BUILT. */
export function refuse(parts: MessageParts, cast: ReadyWorker, message: string): readonly Step[] {
  return end(parts, cast, message);
}

/** The row is deleted first: whoever claimed it meanwhile wins, and nothing is written. */
function end(parts: MessageParts, cast: ReadyWorker, reason: string): readonly Step[] {
  const work = cast.status.endsWith('deleting') ? 'delete' : 'create';
  const action = work === 'delete' ? 'DELETE_VOLUME' : 'SCHEDULE_ALLOCATE_VOLUME';
  return [
    { ...deleteReadyWorker(cast), rows: 1 },
    ...failVolume(parts, cast, { work, reason, action, detail: 'UNKNOWN_ERROR' }),
  ];
}
