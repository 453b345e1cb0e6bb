import type { Store } from '../../db/store.js';
import type { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import { volumeTypeView } from '../views/volume-type-view.js';
import { visibleVolumeType } from '../visible-volume-type.js';
import { typeReference } from '../volume-type-fields.js';

/** `VolumeTypes/GetVolumeType`. Throws InvalidInput, VolumeTypeNotFound. Rule: cinder/api/v3/types.py, `show`. */
export function getVolumeType({
  store,
}: {
  readonly store: Store;
}): PublicHandler<typeof VolumeTypesService.getVolumeType> {
  return async ({ volumeType }, { context }) => {
    const bad = new Violations();
    typeReference(bad, volumeType);
    bad.check();
    return { volumeType: volumeTypeView(await visibleVolumeType(store, context, volumeType), context) };
  };
}
