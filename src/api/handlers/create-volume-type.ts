import { UniqueViolation } from '../../db/store.js';
import { insertVolumeType } from '../../db/volume-type-changes.js';
import { Fault } from '../../errors/fault.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { keyOfRequest } from '../idempotency-key.js';
import { idempotent } from '../idempotent.js';
import { Violations } from '../validation.js';
import { showing, type VolumeTypeChangeParts } from '../volume-type-change.js';
import { extraSpecs, typeDescription, typeName } from '../volume-type-fields.js';

export interface CreateVolumeTypeParts extends VolumeTypeChangeParts {
  /** A new UUID. */
  readonly newId: () => string;
}

/** `VolumeTypes/CreateVolumeType`. Throws InvalidInput, VolumeTypeExists. Rule: cinder/api/v3/types.py, `create`. */
export function createVolumeType({
  store,
  defaults,
  newId,
}: CreateVolumeTypeParts): PublicHandler<typeof VolumeTypesService.createVolumeType> {
  return async (request, { context }) => {
    const bad = new Violations();
    const name = typeName(bad, request.name);
    const description = request.description === undefined ? null : typeDescription(bad, request.description);
    extraSpecs(bad, request.extraSpecs);
    const idempotency = keyOfRequest(VolumeTypesService.createVolumeType, request, bad);
    bad.check();
    const id = newId();
    const type = { id, name, description, isPublic: request.isPublic ?? true, extraSpecs: request.extraSpecs };
    const show = showing(store, context);
    return idempotent(
      { store, context, idempotency },
      async (take) => {
        try {
          await store.apply([...insertVolumeType(type), ...take(id)]);
        } catch (error) {
          if (error instanceof UniqueViolation && error.step === 0) throw new Fault('VolumeTypeExists', { name });
          throw error;
        }
        defaults.forget();
        return show(id);
      },
      show,
    );
  };
}
