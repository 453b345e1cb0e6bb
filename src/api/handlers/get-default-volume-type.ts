import { defaultVolumeType } from '../../db/default-volume-types.js';
import type { Store } from '../../db/store.js';
import { Fault } from '../../errors/fault.js';
import type { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { allows } from '../policy.js';
import { projectOf } from '../project-scope.js';
import { Violations } from '../validation.js';
import { volumeTypeView } from '../views/volume-type-view.js';

export interface GetDefaultVolumeTypeParts {
  readonly store: Store;
  /** `default_volume_type`: name of the type where a project has no default of its own. */
  readonly configuredName: string;
}

/**
 * `VolumeTypes/GetDefaultVolumeType`. Throws InvalidInput, PolicyNotAuthorized for another project's default,
 * VolumeTypeDefaultMisconfigured. Rule: cinder/volume/volume_types.py, `get_default_volume_type`.
 */
export function getDefaultVolumeType(
  parts: GetDefaultVolumeTypeParts,
): PublicHandler<typeof VolumeTypesService.getDefaultVolumeType> {
  const { store, configuredName } = parts;
  return async (request, { context }) => {
    const projectId = request.projectId || projectOf(context, 'name a project_id');
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    bad.check();
    if (projectId !== context.projectId && !allows('volume_extension:default_get', context)) {
      throw new Fault('PolicyNotAuthorized', { action: 'volume_extension:default_get' });
    }
    const type = await defaultVolumeType(store, { projectId, configuredName });
    return { volumeType: volumeTypeView(type, context) };
  };
}
