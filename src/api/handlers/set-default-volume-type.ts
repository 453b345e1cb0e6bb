import { putDefaultVolumeType } from '../../db/default-volume-types.js';
import { demandUsableVolumeType, findVolumeType } from '../../db/volume-types.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { setOnce } from '../idempotent.js';
import { Violations } from '../validation.js';
import { volumeTypeView } from '../views/volume-type-view.js';
import { missedStep, type VolumeTypeChangeParts } from '../volume-type-change.js';
import { typeReference } from '../volume-type-fields.js';

/**
 * `VolumeTypes/SetDefaultVolumeType`. Throws InvalidInput; VolumeTypeNotFound, also for a private type that the project may
 * not use. Rule: cinder/api/v3/default_types.py, `create_update`.
 */
export function setDefaultVolumeType({
  store,
  defaults,
}: VolumeTypeChangeParts): PublicHandler<typeof VolumeTypesService.setDefaultVolumeType> {
  return async (request, { context }) => {
    const { projectId, volumeType } = request;
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    typeReference(bad, volumeType);
    const find = async () => {
      const type = await findVolumeType(store, { idOrName: volumeType, projectId });
      if (!type) throw new Fault('VolumeTypeNotFound', { volumeType });
      return type;
    };
    return setOnce(
      { store, context, method: VolumeTypesService.setDefaultVolumeType, request, bad },
      async (taken) => {
        const type = await find();
        const { id } = type;
        try {
          await store.apply([demandUsableVolumeType(id, projectId), putDefaultVolumeType(projectId, id), ...taken]);
        } catch (error) {
          missedStep(error);
          throw new Fault('VolumeTypeNotFound', { volumeType }, { cause: error });
        }
        defaults.forget();
        return { volumeType: volumeTypeView(type, context) };
      },
      async () => ({ volumeType: volumeTypeView(await find(), context) }),
    );
  };
}
