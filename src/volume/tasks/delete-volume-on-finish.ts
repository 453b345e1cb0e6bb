import { applyFenced, type Claim } from '../../casts/claim.js';
import type { Store } from '../../db/store.js';
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
  { claim: Claim; backend: Backend; refreshed: Volume },
  { release: Release | null }
> => ({
  name: 'DeleteVolumeOnFinish',

  async execute({ claim, backend, refreshed }, { signal }) {
    const release = refreshed.useQuota ? releaseOf(refreshed, newId()) : null;
    await patiently(signal, () => applyFenced(store, claim, volumeDeleted(claim, release, releaseGraceMs)));
    backend.allocations.remove(refreshed.id);
    return { release };
  },
});
