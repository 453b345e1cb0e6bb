import { UniqueViolation } from '../../db/store.js';
import { updateVolumeType as update, type VolumeTypeChange } from '../../db/volume-type-changes.js';
import { Fault } from '../../errors/fault.js';
import { type UpdateVolumeTypeRequest, VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { fieldsToChange } from '../update-mask.js';
import { Violations } from '../validation.js';
import { changeVolumeType, missedStep, showing, type VolumeTypeChangeParts } from '../volume-type-change.js';
import { typeDescription, typeName } from '../volume-type-fields.js';

/**
 * `VolumeTypes/UpdateVolumeType`. A renamed type keeps its quota, which goes by the id. Throws InvalidInput,
 * VolumeTypeNotFound, VolumeTypeExists. Rule: cinder/api/contrib/types_manage.py, `_update`.
 */
export function updateVolumeType(
  parts: VolumeTypeChangeParts,
): PublicHandler<typeof VolumeTypesService.updateVolumeType> {
  return async (request, { context }) => {
    const bad = new Violations();
    const change = readChange(request, bad);
    return changeVolumeType(
      parts,
      { context, method: VolumeTypesService.updateVolumeType, request, bad },
      async ({ id }, taken) => {
        try {
          await parts.store.apply([update(id, change), ...taken]);
        } catch (error) {
          if (error instanceof UniqueViolation && error.step === 0) {
            throw new Fault('VolumeTypeExists', { name: change.name ?? '' }, { cause: error });
          }
          missedStep(error);
          throw new Fault('VolumeTypeNotFound', { volumeType: request.volumeType }, { cause: error });
        }
      },
      showing(parts.store, context),
    );
  };
}

/** Words may be removed; a type without a name, or neither public nor private, there is not. */
function readChange(request: UpdateVolumeTypeRequest, bad: Violations): VolumeTypeChange {
  const { name, description, isPublic } = request;
  const present = {
    name: name !== undefined,
    description: description !== undefined,
    is_public: isPublic !== undefined,
  };
  const fields = fieldsToChange(request.updateMask, present, bad);
  for (const field of ['name', 'is_public'] as const) {
    if (fields.has(field) && !present[field]) bad.add(field, 'is required where the mask names it');
  }
  return {
    ...(fields.has('name') && name !== undefined && { name: typeName(bad, name) }),
    ...(fields.has('description') && {
      description: description === undefined ? null : typeDescription(bad, description),
    }),
    ...(fields.has('is_public') && isPublic !== undefined && { isPublic }),
  };
}
