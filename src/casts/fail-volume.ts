import { randomUUID } from 'node:crypto';
import { appendVolumeEvent } from '../db/events.js';
import { insertMessage } from '../db/messages.js';
import type { Step } from '../db/store.js';
import { undoHoldsOf } from '../db/quota-settlements.js';
import { returnRestored } from '../db/snapshot-returns.js';
import { type ReturnableWork, returnVolume } from '../db/volume-returns.js';
import { transition } from '../db/volume-transitions.js';
import type { RequestContext } from '../objects/request-context.js';
import { MESSAGE_ACTIONS, MESSAGE_DETAILS, type MessageAction, type MessageDetail } from '../objects/user-message.js';

/** What those need who write user messages. */
export interface MessageParts {
  /** `message_ttl`, ms: how long a user message is kept. */
  readonly messageTtlMs: number;
}

/** Whose work failed. */
export interface FailedWork {
  /** UUID of the volume. */
  readonly resourceId: string;
  readonly context: RequestContext;
}

/** What is done to volumes; it decides the status of one whose work failed, and the event. */
export type Work = 'create' | 'delete' | ReturnableWork;

/** How and why it failed. */
export interface Failure {
  readonly work: Work;
  /** Becomes the volume's `status_reason` where its status is one of error: a sentence for its owner, without names of hosts. */
  readonly reason: string;
  readonly action: MessageAction;
  readonly detail: MessageDetail;
  /** Cinder's name of the method that failed at a scheduler, e.g. `create_volume`: noted as the event `scheduler.create_volume`. */
  readonly schedulerMethod?: string;
}

/** Characters of a reason that are kept. */
const MAX_REASON = 1_000;

/**
 * Ends a volume in the error status of its work, or in its former status, with a user message for the project that asked, and an event. Failed work
 * must end even if the record is gone or in a status that nobody expected: no step demands a row. The caller adds the
 * fence before and the end of the row after. Rule: docs/protocols.md §W FAIL; cinder/message/api.py;
 * cinder/scheduler/manager.py, `_set_volume_state_and_notify`.
 */
export function failVolume(
  { messageTtlMs }: MessageParts,
  { resourceId, context }: FailedWork,
  failure: Failure,
): readonly Step[] {
  const { schedulerMethod } = failure;
  const action = MESSAGE_ACTIONS[failure.action];
  const detail = MESSAGE_DETAILS[failure.detail];
  const steps = [
    ...ended(failure.work, resourceId, failure.reason.slice(0, MAX_REASON)),
    insertMessage({
      id: randomUUID(),
      projectId: context.projectId,
      requestId: context.requestId,
      resourceType: 'VOLUME',
      resourceId,
      actionId: action.id,
      detailId: detail.id,
      text: `${action.text}: ${detail.text} ${failure.reason}`.slice(0, MAX_REASON),
      ttlMs: messageTtlMs,
    }),
    ...[`volume.${failure.work}.error`, ...(schedulerMethod === undefined ? [] : [`scheduler.${schedulerMethod}`])].map(
      (type) => appendVolumeEvent({ volumeId: resourceId, type, requestId: context.requestId }),
    ),
  ];
  return steps.map(({ statement }) => ({ statement }));
}

/** The status, and the quota that was held for a change. */
function ended(work: Work, id: string, reason: string): readonly Step[] {
  switch (work) {
    case 'create':
      return [transition('failCreate', { id, statusReason: reason })];
    case 'delete':
      return [transition('failDelete', { id, statusReason: reason })];
    default:
      return [
        returnVolume(work, { id, reason }),
        ...(work === 'revert' ? [returnRestored(id)] : []),
        undoHoldsOf('Volume', id),
      ];
  }
}

/** What a user message calls a kind of work. */
export const ACTION_OF: Readonly<Record<Work, MessageAction>> = {
  create: 'SCHEDULE_ALLOCATE_VOLUME',
  delete: 'DELETE_VOLUME',
  extend: 'EXTEND_VOLUME',
  retype: 'RETYPE_VOLUME',
  migrate: 'MIGRATE_VOLUME',
  manage: 'MANAGE_VOLUME',
  revert: 'REVERT_VOLUME',
  reimage: 'REIMAGE_VOLUME',
  upload: 'COPY_VOLUME_TO_IMAGE',
};
