import { listVolumeTypeAccess as readPage } from '../../db/volume-type-access.js';
import type { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { onlyPrivate } from '../private-volume-type.js';
import { Violations } from '../validation.js';
import { visibleVolumeType } from '../visible-volume-type.js';
import { typeReference } from '../volume-type-fields.js';
import type { VolumeTypePagesParts } from './list-volume-types.js';

/** `VolumeTypes/ListVolumeTypeAccess`: keyset pages, by project. Throws InvalidInput, VolumeTypeNotFound, InvalidVolumeType. */
export function listVolumeTypeAccess({
  store,
  namePages,
}: VolumeTypePagesParts): PublicHandler<typeof VolumeTypesService.listVolumeTypeAccess> {
  return async ({ volumeType, pageSize, pageToken }, { context }) => {
    const bad = new Violations();
    typeReference(bad, volumeType);
    const size = bad.pageSize('page_size', pageSize);
    bad.check();
    const type = await visibleVolumeType(store, context, volumeType);
    onlyPrivate(type);
    const list = `volume_type_access:${type.id}`;
    const after = namePages.open(list, pageToken);
    const found = await readPage(store, {
      volumeTypeId: type.id,
      limit: size + 1,
      ...(after !== undefined && { after }),
    });
    const { rows, nextPageToken } = namePages.cut(list, found, size, (projectId) => projectId);
    return { projectIds: [...rows], nextPageToken };
  };
}
