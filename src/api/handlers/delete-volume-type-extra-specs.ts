import { deleteExtraSpecs } from '../../db/volume-type-changes.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import { visibleVolumeType } from '../visible-volume-type.js';
import { changeVolumeType, missedStep, showing, type VolumeTypeChangeParts } from '../volume-type-change.js';
import { extraSpecKeys } from '../volume-type-fields.js';

/**
 * `VolumeTypes/DeleteVolumeTypeExtraSpecs`: all of the keys or none. Throws InvalidInput, VolumeTypeNotFound,
 * VolumeTypeExtraSpecsNotFound. Rule: cinder/api/contrib/types_extra_specs.py, `delete`.
 */
export function deleteVolumeTypeExtraSpecs(
  parts: VolumeTypeChangeParts,
): PublicHandler<typeof VolumeTypesService.deleteVolumeTypeExtraSpecs> {
  const { store } = parts;
  return async (request, { context }) => {
    const bad = new Violations();
    const keys = extraSpecKeys(bad, request.keys);
    return changeVolumeType(
      parts,
      { context, method: VolumeTypesService.deleteVolumeTypeExtraSpecs, request, bad },
      async ({ id, name }, taken) => {
        try {
          await store.apply([...deleteExtraSpecs(id, keys), ...taken]);
        } catch (error) {
          missedStep(error);
          const { extraSpecs } = await visibleVolumeType(store, context, id);
          const key = [...keys].find((one) => !extraSpecs.has(one)) ?? request.keys[0] ?? '';
          throw new Fault('VolumeTypeExtraSpecsNotFound', { volumeType: name, key }, { cause: error });
        }
      },
      showing(store, context),
    );
  };
}
