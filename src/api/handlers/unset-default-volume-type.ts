import { deleteDefaultVolumeType } from '../../db/default-volume-types.js';
import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { setOnce } from '../idempotent.js';
import { Violations } from '../validation.js';
import type { VolumeTypeChangeParts } from '../volume-type-change.js';

/** `VolumeTypes/UnsetDefaultVolumeType`. Throws InvalidInput. Rule: cinder/api/v3/default_types.py, `delete`. */
export function unsetDefaultVolumeType({
  store,
  defaults,
}: VolumeTypeChangeParts): PublicHandler<typeof VolumeTypesService.unsetDefaultVolumeType> {
  return async (request, { context }) => {
    const { projectId } = request;
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    return setOnce(
      { store, context, method: VolumeTypesService.unsetDefaultVolumeType, request, bad },
      async (taken) => {
        await store.apply([deleteDefaultVolumeType(projectId), ...taken]);
        defaults.forget();
        return {};
      },
      async () => ({}),
    );
  };
}
