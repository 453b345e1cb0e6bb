import { isStoreOutage } from '../../db/outage.js';
import { deleteOpenCharge } from '../../db/quota-settlements.js';
import { RowCountMismatch, type Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import type { ReadyWorker } from '../../db/worker-row.js';
import { readyStagedWorker } from '../../db/workers.js';
import { findWorkerState } from '../../db/worker-search.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import { InDoubt } from '../../flow/in-doubt.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { Reservation } from '../../quota/quota.js';
import type { Entry } from './entry-create.js';

export interface VolumeCastParts {
  readonly store: Store;
  /** Sends a row that was just made ready; best effort. */
  readonly send: (cast: ReadyWorker) => void;
}

interface Needs {
  readonly context: RequestContext;
  readonly reservation: Reservation;
  readonly entry: Entry;
}

/** A staged row's first owner is its writer. */
const FIRST_EPOCH = 1;

/**
 * Settles the charge and makes the row of work ready, in one transaction; then sends it, which nobody waits for.
 * Throws RequestSuperseded when recovery has undone the volume; InDoubt when nobody knows whether it was committed.
 * Rule: cinder/volume/flows/api/create_volume.py, VolumeCastTask; docs/protocols.md §Q CREATE 4.
 */
export const volumeCast = (parts: VolumeCastParts): Task<Needs> => ({
  name: 'VolumeCast',

  async execute({ context, reservation, entry }) {
    const { volume, message } = entry;
    const key = { resourceType: 'Volume', resourceId: volume.id, epoch: FIRST_EPOCH } as const;
    try {
      await parts.store.apply([deleteOpenCharge(reservation.id), readyStagedWorker(key)]);
    } catch (error) {
      if (error instanceof RowCountMismatch) return wentForward(parts.store, volume.id);
      if (isStoreOutage(error)) {
        throw new InDoubt(`it is not known whether ${volume.id} was accepted`, volume.id, { cause: error });
      }
      throw error;
    }
    parts.send({ target: null, message, context, sends: 1, ageMs: 0, status: 'creating', ...key });
    return {};
  },
});

/** Somebody else has settled it: forward, and all is well, or back. */
async function wentForward(store: Store, volumeId: string): Promise<object> {
  const [volume, state] = await Promise.all([
    findVolume(store, { id: volumeId }),
    findWorkerState(store, { resourceType: 'Volume', resourceId: volumeId }),
  ]);
  if (volume && state !== 'staged') return {};
  throw new Fault('RequestSuperseded', { resourceId: volumeId });
}
