import { setExtraSpecs } from '../../db/volume-type-changes.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import { changeVolumeType, missedStep, showing, type VolumeTypeChangeParts } from '../volume-type-change.js';
import { extraSpecs, MAX_EXTRA_SPECS, tooManyExtraSpecs } from '../volume-type-fields.js';

/**
 * `VolumeTypes/SetVolumeTypeExtraSpecs`: known keys keep their place, new ones come last. Throws InvalidInput,
 * VolumeTypeNotFound. Rule: cinder/api/contrib/types_extra_specs.py, `create`.
 */
export function setVolumeTypeExtraSpecs(
  parts: VolumeTypeChangeParts,
): PublicHandler<typeof VolumeTypesService.setVolumeTypeExtraSpecs> {
  return async (request, { context }) => {
    const bad = new Violations();
    if (request.extraSpecs.size === 0) bad.add('extra_specs', 'must have at least one pair');
    extraSpecs(bad, request.extraSpecs);
    return changeVolumeType(
      parts,
      { context, method: VolumeTypesService.setVolumeTypeExtraSpecs, request, bad },
      async ({ id }, taken) => {
        try {
          await parts.store.apply([...setExtraSpecs(id, request.extraSpecs, MAX_EXTRA_SPECS), ...taken]);
        } catch (error) {
          if (missedStep(error) > 0) throw tooManyExtraSpecs();
          throw new Fault('VolumeTypeNotFound', { volumeType: request.volumeType }, { cause: error });
        }
      },
      showing(parts.store, context),
    );
  };
}
