import type { Claim } from '../../casts/claim.js';
import type { Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { VolumePlace } from '../../drivers/driver.js';
import type { Volume } from '../../objects/volume.js';
import type { Backend } from '../backend.js';
import { patiently } from '../patience.js';

/**
 * Reads the record as it is now; the cast's copy may be old. Throws VolumeNotFound for one that was deleted meanwhile, and
 * NotMyBackend for one that is somewhere else.
 * Rule: cinder/volume/flows/manager/create_volume.py, ExtractVolumeRefTask.
 */
export const extractVolumeRef = ({
  store,
}: {
  readonly store: Store;
}): Task<{ claim: Claim; backend: Backend }, { refreshed: Volume; place: VolumePlace }> => ({
  name: 'ExtractVolumeRef',

  async execute({ claim, backend }, { signal }) {
    const refreshed = await patiently(signal, () => findVolume(store, { id: claim.resourceId }));
    if (!refreshed) throw new Fault('VolumeNotFound', { volumeId: claim.resourceId });
    return { refreshed, place: backend.placeOf(refreshed) };
  },
});
