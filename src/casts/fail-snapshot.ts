import { randomUUID } from 'node:crypto';
import { insertMessage } from '../db/messages.js';
import { failSnapshotRecord } from '../db/snapshot-returns.js';
import type { Step } from '../db/store.js';
import type { ReadyWorker } from '../db/worker-row.js';
import { MESSAGE_ACTIONS, MESSAGE_DETAILS } from '../objects/user-message.js';
import type { MessageParts } from './fail-volume.js';

/** Characters of a message that are kept. */
const MAX_TEXT = 1_000;

/**
 * Ends a snapshot in the error status of its work, with a user message for the project that asked. No step demands a row: work
 * must end even if the record is gone. Rule: docs/protocols.md §W FAIL; cinder/volume/manager.py, `create_snapshot`.
 */
export function failSnapshot(
  { messageTtlMs }: MessageParts,
  { resourceId, context, status }: Pick<ReadyWorker, 'resourceId' | 'context' | 'status'>,
  reason: string,
): readonly Step[] {
  const action = MESSAGE_ACTIONS[status === 'creating' ? 'SNAPSHOT_CREATE' : 'SNAPSHOT_DELETE'];
  const detail = MESSAGE_DETAILS.UNKNOWN_ERROR;
  const { statement } = insertMessage({
    ...{ id: randomUUID(), projectId: context.projectId, requestId: context.requestId },
    ...{ resourceType: 'VOLUME_SNAPSHOT', resourceId, actionId: action.id, detailId: detail.id },
    text: `${action.text}: ${detail.text} ${reason}`.slice(0, MAX_TEXT),
    ttlMs: messageTtlMs,
  });
  return [failSnapshotRecord(resourceId), { statement }];
}
