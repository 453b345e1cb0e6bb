import { applyFenced, type Claim } from '../../casts/claim.js';
import type { Store } from '../../db/store.js';
import type { VolumePlace } from '../../drivers/driver.js';
import type { Task } from '../../flow/flow.js';
import type { Volume } from '../../objects/volume.js';
import type { Backend } from '../backend.js';
import { type Release, releaseOf, volumeDeleted } from '../outcomes.js';
import { patiently } from '../patience.js';

export interface DeleteVolumeOnFinishParts {
  readonly store: Store;
  /** A new UUID. */
  readonly newId: () => string;
  /** For how long a release may be applied, ms: as long as quota remembers what it has settled. */
  readonly releaseGraceMs: number;
}

/**
 * The record goes, the project's amounts are written down as to be given back, and the work is over, in one transaction.
 * Rule: docs/protocols.md §W DELETE and §Q DELETE.
 */
export const deleteVolumeOnFinish = ({
  store,
  newId,
  releaseGraceMs,
}: DeleteVolumeOnFinishParts): Task<
  { claim: Claim; backend: Backend; refreshed: Volume; place: VolumePlace },
  { release: Release | null }
> => ({
  name: 'DeleteVolumeOnFinish',

  async execute({ claim, backend, refreshed, place }, { signal }) {
    const release = refreshed.useQuota ? releaseOf(refreshed, newId()) : null;
    await patiently(signal, () => applyFenced(store, claim, volumeDeleted(claim, release, releaseGraceMs)));
    backend.allocations.remove(refreshed.id);
    // whoever was making it lost the work to us, and the say when the room that was promised for it is free
    if (refreshed.launchedAt === null) {
      backend.allocations.include({ volumeId: refreshed.id, epoch: claim.epoch, pool: place.pool });
    }
    return { release };
  },
});
