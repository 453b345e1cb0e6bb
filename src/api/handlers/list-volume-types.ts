import type { Store } from '../../db/store.js';
import { listVolumeTypes as readPage } from '../../db/volume-types.js';
import type { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import { seesEverything } from '../../objects/request-context.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { NamePages } from '../name-pages.js';
import { Violations } from '../validation.js';
import { volumeTypeView } from '../views/volume-type-view.js';

export interface VolumeTypePagesParts {
  readonly store: Store;
  readonly namePages: NamePages;
}

/** `VolumeTypes/ListVolumeTypes`: keyset pages, by name (AIP-158). Throws InvalidInput. */
export function listVolumeTypes({
  store,
  namePages,
}: VolumeTypePagesParts): PublicHandler<typeof VolumeTypesService.listVolumeTypes> {
  return async ({ pageSize, pageToken, isPublic }, { context }) => {
    const bad = new Violations();
    const size = bad.pageSize('page_size', pageSize);
    bad.check();
    const scope = seesEverything(context) ? {} : { projectId: context.projectId };
    const list = `volume_types:${scope.projectId ?? ''}:${isPublic ?? ''}`;
    const after = namePages.open(list, pageToken);
    const found = await readPage(store, {
      ...scope,
      limit: size + 1,
      ...(isPublic !== undefined && { isPublic }),
      ...(after !== undefined && { after }),
    });
    const { rows, nextPageToken } = namePages.cut(list, found, size, ({ name }) => name);
    return { volumeTypes: rows.map((type) => volumeTypeView(type, context)), nextPageToken };
  };
}
