import type { Store } from '../../db/store.js';
import { deleteVolumeType as remove, whyTypeStays } from '../../db/volume-type-changes.js';
import type { VolumeTypeRecord } from '../../db/volume-type-rows.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import { PER_TYPE, typeKey } from '../../quota/resources.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import { changeVolumeType, missedStep, type VolumeTypeChangeParts } from '../volume-type-change.js';

export interface DeleteVolumeTypeParts extends VolumeTypeChangeParts {
  /** `default_volume_type`: name of the type of volumes that name none. */
  readonly configuredName: string;
}

/**
 * `VolumeTypes/DeleteVolumeType`. Throws InvalidInput, VolumeTypeNotFound, VolumeTypeDefaultDeletionError,
 * VolumeTypeDeletionError, VolumeTypeInUse. Rule: cinder/volume/volume_types.py, `destroy`.
 */
export function deleteVolumeType(
  parts: DeleteVolumeTypeParts,
): PublicHandler<typeof VolumeTypesService.deleteVolumeType> {
  const { store, configuredName } = parts;
  return async (request, { context }) =>
    changeVolumeType(
      parts,
      { context, method: VolumeTypesService.deleteVolumeType, request, bad: new Violations() },
      async (type, taken) => {
        const limitKeys = PER_TYPE.map((resource) => typeKey(resource, type.id));
        try {
          await store.apply([...remove(type.id, { configuredName, limitKeys }), ...taken]);
        } catch (error) {
          missedStep(error);
          throw await refusal(store, type, configuredName, error);
        }
      },
      async () => ({}),
    );
}

/** Why the type could not go, as far as that is still so. */
async function refusal(
  store: Store,
  { id, name }: VolumeTypeRecord,
  configuredName: string,
  cause: unknown,
): Promise<Fault> {
  const stays = await whyTypeStays(store, { id, configuredName });
  if (!stays) return new Fault('VolumeTypeNotFound', { volumeType: id }, { cause });
  if (stays.isDefault) return new Fault('VolumeTypeDefaultDeletionError', { volumeType: name }, { cause });
  if (stays.isLast) return new Fault('VolumeTypeDeletionError', { volumeType: name }, { cause });
  return new Fault('VolumeTypeInUse', { volumeType: name }, { cause });
}
