import { applyFenced, type Claim } from '../../casts/claim.js';
import type { Store } from '../../db/store.js';
import type { Task } from '../../flow/flow.js';
import type { Volume } from '../../objects/volume.js';
import { workBegun } from '../outcomes.js';
import { patiently } from '../patience.js';

/**
 * Writes `volume.<action>` as an event, once for each time the work is begun. Temporary volumes make no noise.
 * Rule: cinder/volume/flows/manager/create_volume.py, NotifyVolumeActionTask.
 */
export const notifyVolumeAction = (
  { store }: { readonly store: Store },
  action: 'create.start' | 'delete.start',
): Task<{ claim: Claim; refreshed: Volume }> => ({
  name: 'NotifyVolumeAction',

  async execute({ claim, refreshed }, { signal }) {
    if (refreshed.useQuota) await patiently(signal, () => applyFenced(store, claim, workBegun(claim, action)));
    return {};
  },
});
