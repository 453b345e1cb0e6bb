import type { Store } from '../../db/store.js';
import { listVolumes as readPage } from '../../db/volumes.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { page, type PageTokens } from '../page-tokens.js';
import { projectOf } from '../project-scope.js';
import { Violations } from '../validation.js';
import { volumeView } from '../views/volume-view.js';

export interface ListVolumesParts {
  readonly store: Store;
  readonly pages: PageTokens;
}

/** `Volumes/ListVolumes`: keyset pages, newest first (AIP-158). Throws InvalidInput. */
export function listVolumes(parts: ListVolumesParts): PublicHandler<typeof VolumesService.listVolumes> {
  return async ({ pageSize, pageToken }, { context }) => {
    const projectId = projectOf(context);
    const bad = new Violations();
    const size = bad.pageSize('page_size', pageSize);
    bad.check();
    const list = `volumes:${projectId}`;
    const after = parts.pages.open(list, pageToken);
    const found = await readPage(parts.store, { projectId, limit: size + 1, ...(after && { after }) });
    const { rows, nextPageToken } = page(found, size, (last) => parts.pages.sign(list, last));
    return { volumes: rows.map(volumeView), nextPageToken };
  };
}
