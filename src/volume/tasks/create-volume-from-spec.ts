import type { Claim } from '../../casts/claim.js';
import type { Task } from '../../flow/flow.js';
import type { Backend } from '../backend.js';
import { type ProgressParts, withProgress } from '../progress.js';
import type { VolumeSpec } from './extract-volume-spec.js';

export type CreateVolumeFromSpecParts = ProgressParts;

/**
 * Has the driver make the volume. Repeating it finds the volume that is there. What it made is removed by the revert of
 * OnFailureReschedule, after the record has left this backend; a failed volume keeps it until it is deleted.
 * Throws DriverNotInitialized, VolumeBackendAPIException; Fenced when the work was lost meanwhile.
 * Rule: cinder/volume/flows/manager/create_volume.py, CreateVolumeFromSpecTask.
 */
export const createVolumeFromSpec = (
  parts: CreateVolumeFromSpecParts,
): Task<{ claim: Claim; backend: Backend; spec: VolumeSpec }> => ({
  name: 'CreateVolumeFromSpec',

  async execute({ claim, backend, spec }, { signal }) {
    const volume = { epoch: claim.epoch, resumed: claim.resumed, ...spec.place };
    // a raw volume takes no time that anybody would want to follow
    if (spec.type === 'raw') await backend.driver.createVolume(volume, { signal, onProgress: () => undefined });
    else
      await withProgress(parts, claim, signal, (work) => backend.driver.createClonedVolume(volume, spec.source, work));
    return {};
  },
});
