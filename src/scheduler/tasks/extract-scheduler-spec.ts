import type { CreateVolumeOnScheduler } from '../../casts/cast-messages.js';
import type { Task } from '../../flow/flow.js';
import type { RequestSpec } from '../../objects/request-spec.js';
import type { Volume } from '../../objects/volume.js';
import { withSize } from '../placement-request.js';

/**
 * Takes the request spec, or makes one from the volume for a caller that sent none. One without a size means the volume's:
 * without it no pool would be too small.
 * Rule: cinder/scheduler/flows/create_volume.py, ExtractSchedulerSpecTask.
 */
export const extractSchedulerSpec = (): Task<{ cast: CreateVolumeOnScheduler }, { spec: RequestSpec }> => ({
  name: 'ExtractSchedulerSpec',
  execute: async ({ cast: { requestSpec, volume } }) => {
    const spec = requestSpec ? withSize(requestSpec, volume.sizeGib) : specOf(volume);
    return { spec: Object.assign({}, spec, { operation: 'create_volume' }) }; // no spread: docs/adr/0024
  },
});

function specOf(volume: Volume): RequestSpec {
  return {
    volumeId: volume.id,
    ...(volume.snapshotId !== null && { snapshotId: volume.snapshotId }),
    volumeProperties: {
      sizeGib: volume.sizeGib,
      ...(volume.availabilityZone !== null && { availabilityZone: volume.availabilityZone }),
      volumeTypeId: volume.volumeTypeId,
      metadata: volume.metadata,
      qosSpecs: new Map(),
      multiattach: volume.multiattach,
    },
    availabilityZones: [],
  };
}
