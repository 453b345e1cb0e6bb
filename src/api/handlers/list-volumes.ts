import type { Store } from '../../db/store.js';
import { countVolumes, listVolumes as readPage } from '../../db/volume-list.js';
import type { VolumeFilters } from '../../db/volume-filters.js';
import type { VolumeCursor } from '../../db/volume-order.js';
import { findVolumeType } from '../../db/volume-types.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { PageTokens } from '../page-tokens.js';
import { type ListVolumes, readListVolumes } from '../read-list-volumes.js';
import { volumeView } from '../views/volume-view.js';

export interface ListVolumesParts {
  readonly store: Store;
  readonly pages: PageTokens;
}

/** What a page may weigh: clients take messages of 4 MiB unless they are told otherwise. */
const MAX_PAGE_BYTES = 3.5 * 1024 * 1024;

/**
 * `Volumes/ListVolumes`: keyset pages in the order asked for (AIP-158). A type that there is not fits no volume.
 * Throws InvalidInput, PolicyNotAuthorized.
 */
export function listVolumes({ store, pages }: ListVolumesParts): PublicHandler<typeof VolumesService.listVolumes> {
  return async (request, { context }) => {
    const asked = readListVolumes(request, context);
    const list = nameOf(asked);
    const after = cursorIn(pages.openValues(list, request.pageToken));
    const filters = await withType(store, asked);
    if (!filters) return { volumes: [], nextPageToken: '', ...(request.withCount && { totalCount: 0 }) };
    const { order, pageSize: limit } = asked;
    const [{ volumes, next }, totalCount] = await Promise.all([
      readPage(store, { filters, order, limit, after, maxBytes: MAX_PAGE_BYTES }),
      request.withCount ? countVolumes(store, filters) : undefined,
    ]);
    return {
      volumes: volumes.map(volumeView),
      nextPageToken: next ? pages.signValues(list, [next.value, next.createdAt, next.id]) : '',
      ...(totalCount !== undefined && { totalCount }),
    };
  };
}

/** The same words for the same filter and order, whatever the order of what has none: no token fits another list. */
function nameOf({ filters, order, volumeType }: ListVolumes): string {
  const { ids, metadata, ...others } = filters;
  const narrowing = Object.entries({ ...others, volumeType }).toSorted(byKey);
  const pairs = [...(metadata ?? [])].toSorted(byKey);
  return `volumes:${JSON.stringify([order.key, order.direction, narrowing, pairs, ids?.toSorted()])}`;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function cursorIn(values: ReturnType<PageTokens['openValues']>): VolumeCursor | undefined {
  const [value = null, createdAt, id] = values ?? [];
  return values && { value, createdAt: Number(createdAt), id: String(id) };
}

/** The filters with the type's id; undefined: there is no such type. */
async function withType(store: Store, { filters, volumeType }: ListVolumes): Promise<VolumeFilters | undefined> {
  if (volumeType === undefined) return filters;
  const type = await findVolumeType(store, { idOrName: volumeType });
  return type && { ...filters, volumeTypeId: type.id };
}
