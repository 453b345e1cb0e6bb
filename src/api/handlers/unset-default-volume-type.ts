import { deleteDefaultVolumeType } from '../../db/default-volume-types.js';
import type { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import type { VolumeTypeChangeParts } from '../volume-type-change.js';

/** `VolumeTypes/UnsetDefaultVolumeType`. Throws InvalidInput. Rule: cinder/api/v3/default_types.py, `delete`. */
export function unsetDefaultVolumeType({
  store,
  defaults,
}: VolumeTypeChangeParts): PublicHandler<typeof VolumeTypesService.unsetDefaultVolumeType> {
  return async ({ projectId }) => {
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    bad.check();
    await store.apply([deleteDefaultVolumeType(projectId)]);
    defaults.forget();
    return {};
  };
}
