import type { DeleteVolumeOnVolume } from '../../casts/cast-messages.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { Volume } from '../../objects/volume.js';

/**
 * Refuses what must not be destroyed, whoever asked. Throws InvalidVolume for an attached volume, NotBuilt for unmanaging.
 * Rule: cinder/volume/manager.py, `delete_volume`.
 */
export const checkVolumeDeletable = (): Task<{ cast: DeleteVolumeOnVolume; refreshed: Volume }> => ({
  name: 'CheckVolumeDeletable',

  async execute({ cast, refreshed }) {
    if (cast.unmanageOnly) throw new Fault('NotBuilt', { what: 'Unmanaging a volume' });
    if (refreshed.attachStatus === 'attached') {
      throw new Fault('InvalidVolume', { volumeId: refreshed.id, reason: 'the volume is still attached.' });
    }
    return {};
  },
});
