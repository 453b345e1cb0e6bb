import { appendVolumeEvent } from '../db/events.js';
import { deleteIdempotencyOf } from '../db/idempotency.js';
import { transition } from '../db/volume-transitions.js';
import { deleteAnyWorker, readyStagedWorker } from '../db/workers.js';
import type { ChargedResources } from '../quota/recovery.js';

/** A staged row's first owner is its writer. */
const FIRST_EPOCH = 1;

/** What quota recovery does with the volumes whose charges it settles. Rule: docs/protocols.md §Q RECOVERY. */
export const chargedResources: ChargedResources = {
  forward: ({ resourceId }) => [readyStagedWorker({ resourceType: 'Volume', resourceId, epoch: FIRST_EPOCH })],
  destroy: ({ resourceId }) => [
    transition('undoCreate', { id: resourceId }),
    deleteAnyWorker({ resourceType: 'Volume', resourceId }),
    deleteIdempotencyOf(resourceId),
    appendVolumeEvent({ volumeId: resourceId, type: 'volume.create.undone', requestId: '' }),
  ],
};
