import { UniqueViolation } from '../../db/store.js';
import { demandPrivateVolumeType, insertVolumeTypeAccess } from '../../db/volume-type-access.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { onlyPrivate } from '../private-volume-type.js';
import { Violations } from '../validation.js';
import { changeVolumeType, missedStep, type VolumeTypeChangeParts } from '../volume-type-change.js';

/**
 * `VolumeTypes/AddVolumeTypeAccess`. Throws InvalidInput, VolumeTypeNotFound, InvalidVolumeType, VolumeTypeAccessExists.
 * Rule: cinder/volume/volume_types.py, `add_volume_type_access`.
 */
export function addVolumeTypeAccess(
  parts: VolumeTypeChangeParts,
): PublicHandler<typeof VolumeTypesService.addVolumeTypeAccess> {
  return async (request, { context }) => {
    const { projectId } = request;
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    return changeVolumeType(
      parts,
      { context, method: VolumeTypesService.addVolumeTypeAccess, request, bad },
      async (type, taken) => {
        onlyPrivate(type);
        const access = insertVolumeTypeAccess({ volumeTypeId: type.id, projectId });
        try {
          await parts.store.apply([demandPrivateVolumeType(type.id), access, ...taken]);
        } catch (error) {
          if (error instanceof UniqueViolation && error.step === 1) {
            throw new Fault('VolumeTypeAccessExists', { volumeType: type.name, projectId }, { cause: error });
          }
          missedStep(error);
          throw new Fault('VolumeTypeNotFound', { volumeType: request.volumeType }, { cause: error });
        }
      },
      async () => ({}),
    );
  };
}
