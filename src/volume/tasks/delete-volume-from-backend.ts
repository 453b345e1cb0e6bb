import type { Claim } from '../../casts/claim.js';
import type { VolumePlace } from '../../drivers/driver.js';
import type { Task } from '../../flow/flow.js';
import type { Backend } from '../backend.js';

export interface DeleteVolumeFromBackendParts {
  /** Told how far the work on a volume is, 0 to 100. */
  readonly onProgress: (volumeId: string, percent: number) => void;
}

/**
 * Has the driver destroy the volume; absent is done. Nothing brings it back, so there is no revert.
 * Throws DriverNotInitialized, VolumeBackendAPIException.
 */
export const deleteVolumeFromBackend = ({
  onProgress,
}: DeleteVolumeFromBackendParts): Task<{ claim: Claim; backend: Backend; place: VolumePlace }> => ({
  name: 'DeleteVolumeFromBackend',

  async execute({ claim, backend, place }, { signal }) {
    await backend.driver.deleteVolume(place, {
      signal,
      onProgress: (percent) => onProgress(claim.resourceId, percent),
    });
    return {};
  },
});
