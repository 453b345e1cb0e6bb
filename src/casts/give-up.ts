import type { Step } from '../db/store.js';
import type { ReadyWorker } from '../db/worker-row.js';
import { deleteReadyWorker } from '../db/workers.js';
import { failSnapshot } from './fail-snapshot.js';
import { ACTION_OF, failVolume, type MessageParts, type Work } from './fail-volume.js';
import { causeInLog } from './reason-for-owner.js';

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

/** Ends work whose row nobody can put into words: why is for operators. */
export function unreadable(parts: MessageParts, cast: ReadyWorker): readonly Step[] {
  return end(parts, cast, causeInLog(cast.context.requestId || cast.resourceId));
}

/** The row is deleted first: whoever claimed it meanwhile wins, and nothing is written. */
function end(parts: MessageParts, cast: ReadyWorker, reason: string): readonly Step[] {
  const gone = { ...deleteReadyWorker(cast), rows: 1 };
  if (cast.resourceType === 'Snapshot') return [gone, ...failSnapshot(parts, cast, reason)];
  const work = workOf(cast);
  return [gone, ...failVolume(parts, cast, { work, reason, action: ACTION_OF[work], detail: 'UNKNOWN_ERROR' })];
}

/** By the method; of one that this version does not know, by the status. */
function workOf({ message, status }: ReadyWorker): Work {
  return WORK_OF.get(message.method) ?? (status.endsWith('deleting') ? 'delete' : 'create');
}

const WORK_OF: ReadonlyMap<string, Work> = new Map([
  ['CreateVolume', 'create'],
  ['DeleteVolume', 'delete'],
  ['ExtendVolume', 'extend'],
  ['Retype', 'retype'],
  ['MigrateVolume', 'migrate'],
  ['MigrateVolumeToHost', 'migrate'],
  ['ManageExisting', 'manage'],
  ['ExtendVolumeCompletion', 'extend'],
  ['RevertToSnapshot', 'revert'],
  ['Reimage', 'reimage'],
  ['CopyVolumeToImage', 'upload'],
]);
