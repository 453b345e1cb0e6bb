import type { Claim } from '../../casts/claim.js';
import type { Task } from '../../flow/flow.js';
import type { Backend } from '../backend.js';
import type { VolumeSpec } from './extract-volume-spec.js';

export interface CreateVolumeFromSpecParts {
  /** Told how far the work on a volume is, 0 to 100. */
  readonly onProgress: (volumeId: string, percent: number) => void;
}

/**
 * Has the driver make the volume. Repeating it finds the volume that is there. What it made is removed by the revert of
 * OnFailureReschedule, after the record has left this backend; a failed volume keeps it until it is deleted.
 * Throws DriverNotInitialized, VolumeBackendAPIException.
 * Rule: cinder/volume/flows/manager/create_volume.py, CreateVolumeFromSpecTask.
 */
export const createVolumeFromSpec = ({
  onProgress,
}: CreateVolumeFromSpecParts): Task<{ claim: Claim; backend: Backend; spec: VolumeSpec }> => ({
  name: 'CreateVolumeFromSpec',

  async execute({ claim, backend, spec }, { signal }) {
    const { epoch, resumed, resourceId } = claim;
    await backend.driver.createVolume(
      { ...spec.place, epoch, resumed },
      { signal, onProgress: (percent) => onProgress(resourceId, percent) },
    );
    return {};
  },
});
