import { appendVolumeEvent } from '../../db/events.js';
import { undoHoldsOf } from '../../db/quota-settlements.js';
import { RowCountMismatch, type Store } from '../../db/store.js';
import { resetVolume } from '../../db/volume-reset.js';
import { readVolume, rereadVolume } from '../../db/volumes.js';
import { deleteAnyWorker } from '../../db/workers.js';
import { Fault } from '../../errors/fault.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { Volume } from '../../objects/volume.js';
import type { VolumeStatus } from '../../objects/volume-status.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { idempotent } from '../idempotent.js';
import { readResetVolumeStatus, type ResetVolumeStatus } from '../read-reset-volume-status.js';
import { visibleVolume } from '../visible-volume.js';
import { volumeView } from '../views/volume-view.js';

export interface ResetVolumeStatusParts {
  readonly store: Store;
  /** Told of each reset that was done, for the operator's log; never throws. */
  readonly onReset: (reset: DoneReset) => void;
}

/** Who has put which status in the place of which, and why. */
export interface DoneReset {
  readonly volumeId: string;
  readonly from: VolumeStatus;
  readonly to: VolumeStatus;
  readonly userId: string;
  readonly requestId: string;
  readonly reason: string;
}

/**
 * `Volumes/ResetVolumeStatus`: the record is corrected. Where that gives the volume a status, work under way loses its row and with
 * it the right to write, and what quota held for that work is given back. Throws InvalidInput, VolumeNotFound, InvalidVolume.
 * Rule: cinder/api/contrib/admin_actions.py, `_reset_status`.
 */
export function resetVolumeStatus({
  store,
  onReset,
}: ResetVolumeStatusParts): PublicHandler<typeof VolumesService.resetVolumeStatus> {
  return async (message, { context }) => {
    const request = readResetVolumeStatus(message);
    const { volumeId: id, idempotency, reason } = request;
    const { requestId, userId } = context;
    const volume = await idempotent(
      { store, context, idempotency },
      async (take) => {
        const before = await visibleVolume(store, context, id);
        const after = await refusing(before, request, async () => {
          const done = await store.apply([
            appendVolumeEvent({ volumeId: id, type: 'volume.reset_status.start', requestId }),
            resetVolume({ ...request, id, by: `user ${userId}` }),
            // a transient status that stays needs its work: else nobody would ever end it
            ...(request.status === undefined
              ? []
              : [deleteAnyWorker({ resourceType: 'Volume', resourceId: id }), undoHoldsOf('Volume', id)]),
            appendVolumeEvent({ volumeId: id, type: 'volume.reset_status.end', requestId }),
            ...take(id),
            rereadVolume(id),
          ]);
          return readVolume(done.at(-1));
        });
        onReset({ volumeId: id, from: before.status, to: after.status, userId, requestId, reason });
        return after;
      },
      () => visibleVolume(store, context, id),
    );
    return { volume: volumeView(volume) };
  };
}

/** Says in words why a record cannot be corrected so. */
async function refusing(before: Volume, asked: ResetVolumeStatus, write: () => Promise<Volume>): Promise<Volume> {
  const status = asked.status ?? before.status;
  const attachStatus = asked.attachStatus ?? before.attachStatus;
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof RowCountMismatch)) throw error;
    const reason = `Volume ${before.id} cannot be ${status}: ${why()}`;
    throw new Fault('InvalidVolume', { volumeId: before.id, reason }, { cause: error });
  }

  function why(): string {
    if (before.host === null && (status === 'available' || status === 'in-use')) return 'no backend has it.';
    if (status === 'in-use' && attachStatus !== 'attached') {
      return asked.status === undefined ? 'it would not be attached; give its status too.' : 'it is not attached.';
    }
    return 'it is just being accepted, or changed by somebody else. Try again.';
  }
}
