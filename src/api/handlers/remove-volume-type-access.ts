import { deleteVolumeTypeAccess } from '../../db/volume-type-access.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { onlyPrivate } from '../private-volume-type.js';
import { Violations } from '../validation.js';
import { changeVolumeType, missedStep, type VolumeTypeChangeParts } from '../volume-type-change.js';

/**
 * `VolumeTypes/RemoveVolumeTypeAccess`. Throws InvalidInput, VolumeTypeNotFound, InvalidVolumeType,
 * VolumeTypeAccessNotFound. Rule: cinder/volume/volume_types.py, `remove_volume_type_access`.
 */
export function removeVolumeTypeAccess(
  parts: VolumeTypeChangeParts,
): PublicHandler<typeof VolumeTypesService.removeVolumeTypeAccess> {
  return async (request, { context }) => {
    const { projectId } = request;
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    return changeVolumeType(
      parts,
      { context, method: VolumeTypesService.removeVolumeTypeAccess, request, bad },
      async (type, taken) => {
        onlyPrivate(type);
        try {
          await parts.store.apply([deleteVolumeTypeAccess({ volumeTypeId: type.id, projectId }), ...taken]);
        } catch (error) {
          missedStep(error);
          throw new Fault('VolumeTypeAccessNotFound', { volumeType: type.name, projectId }, { cause: error });
        }
      },
      async () => ({}),
    );
  };
}
