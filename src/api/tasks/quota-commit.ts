import { markVoid } from '../../db/quota-settlements.js';
import type { Store } from '../../db/store.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { Reservation } from '../../quota/quota.js';
import type { Settlements } from '../../quota/settlements.js';
import { deadlineIn, type Deadline } from '../../time/deadline.js';
import type { Entry } from './entry-create.js';

export interface QuotaCommitParts {
  readonly store: Store;
  readonly settlements: Settlements;
  readonly undoDeadlineMs: number;
}

/**
 * Lets Redis decide the charge. From its word on the volume goes forward, whoever takes it there.
 * Throws QuotaReservationExpired, RequestSuperseded; InDoubt when there is no answer by the deadline.
 * Rule: cinder/volume/flows/api/create_volume.py, QuotaCommitTask; docs/protocols.md §Q CREATE 3.
 */
export const quotaCommit = (
  parts: QuotaCommitParts,
): Task<{ reservation: Reservation; entry: Entry; deadline: Deadline }> => ({
  name: 'QuotaCommit',

  async execute({ reservation, entry, deadline }) {
    const resourceId = entry.volume.id;
    const decision = await parts.settlements.commit({ resourceId, ...reservation }, deadline);
    switch (decision) {
      case 'committed':
      case 'gone': // settled by recovery; the next task looks which way
        return {};
      case 'expired':
      case 'unknown':
        throw new Fault('QuotaReservationExpired', { reservationId: reservation.id });
      default:
        throw new Fault('RequestSuperseded', { resourceId });
    }
  },

  /** The records disown the charge first: what Redis gives back must not be counted by anybody any more. */
  async revert({ reservation }) {
    await parts.store.apply([markVoid(reservation.id)]);
    await parts.settlements.undo(reservation, deadlineIn(parts.undoDeadlineMs));
  },
});
