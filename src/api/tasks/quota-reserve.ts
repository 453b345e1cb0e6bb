import type { Task } from '../../flow/flow.js';
import type { RequestContext } from '../../objects/request-context.js';
import { timeOrderedId } from '../../objects/time-ordered-id.js';
import type { Limits } from '../../quota/limits.js';
import { checkVolumeSize, overflow, overQuota } from '../../quota/over-quota.js';
import type { Quota, Reservation } from '../../quota/quota.js';
import { volumeAmounts } from '../../quota/resources.js';
import type { Settlements } from '../../quota/settlements.js';
import { deadlineIn, type Deadline } from '../../time/deadline.js';
import type { VolumeSpec } from './extract-volume-request.js';

export interface QuotaReserveParts {
  readonly limits: Limits;
  readonly quota: Quota;
  readonly settlements: Settlements;
  /** How long an undo may take before it is left to recovery or expiry, ms. */
  readonly undoDeadlineMs: number;
}

/**
 * Reserves one volume and its gigabytes, in all and of its type. Nothing is in the records yet: a crash lets the
 * reservation expire. Throws VolumeSizeExceedsLimit, VolumeLimitExceeded, VolumeSizeExceedsAvailableQuota,
 * QuotaUsageOverflow, QuotaUnavailable, DatabaseUnavailable.
 * Rule: cinder/volume/flows/api/create_volume.py, QuotaReserveTask.
 */
export const quotaReserve = (
  parts: QuotaReserveParts,
): Task<{ context: RequestContext; spec: VolumeSpec; deadline: Deadline }, { reservation: Reservation }> => ({
  name: 'QuotaReserve',

  async execute({ context, spec, deadline }) {
    const { sizeGib, volumeType } = spec;
    checkVolumeSize(sizeGib, await parts.limits.of(context.projectId));
    const amounts = volumeAmounts({ sizeGib, volumeTypeId: volumeType.id });
    const answer = await parts.quota.reserve(context.projectId, amounts, {
      ...{ id: timeOrderedId(), deadline, note: context.requestId },
    });
    if (answer.answer === 'reserved') return { reservation: answer.reservation };
    const typeNames = new Map([[volumeType.id, volumeType.name]]);
    throw answer.answer === 'over'
      ? overQuota(answer.over, { subject: 'volumes', sizeGib, typeNames })
      : overflow(answer.over, typeNames);
  },

  /** By now the records say what they will say: the row is void, gone, or was never written. */
  async revert(_needs, outcome) {
    if ('failed' in outcome) return; // nothing was reserved
    await parts.settlements.undo(outcome.gave.reservation, deadlineIn(parts.undoDeadlineMs));
  },
});
