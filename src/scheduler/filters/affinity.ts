import { get, isList, type Value } from '../python/value.js';
import { isUuidLike } from '../python/uuid.js';
import type { PlacementRequest, VolumePlace } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import { ALL_PASS, ASK_EACH, type Filter } from './filter.js';

/** Keeps the pools that hold one of the volumes of the hint `same_host`. Rule: cinder/scheduler/filters/affinity_filter.py. */
export const sameBackendFilter: Filter = {
  name: 'SameBackendFilter',

  passes(pool, request) {
    const ids = wanted(request, 'same_host');
    return ids !== 'malformed' && (ids.length === 0 || request.volumes.some((volume) => isOn(pool, volume, ids)));
  },

  shortcut: (request) => (isAsked(request, 'same_host') ? ASK_EACH : ALL_PASS),
  reason: () => 'holds none of the volumes in same_host',
  complaint: 'hold none of the volumes that it shall be near to',
};

/** Keeps the pools that hold none of the volumes of the hint `different_host`. Rule: as SameBackendFilter. */
export const differentBackendFilter: Filter = {
  name: 'DifferentBackendFilter',

  passes(pool, request) {
    const ids = wanted(request, 'different_host');
    return ids !== 'malformed' && !request.volumes.some((volume) => isOn(pool, volume, ids));
  },

  shortcut: (request) => (isAsked(request, 'different_host') ? ASK_EACH : ALL_PASS),
  reason: () => 'holds a volume in different_host',
  complaint: 'hold a volume that it shall be away from',
};

function isAsked({ hints }: PlacementRequest, name: string): boolean {
  return hints !== null && get(hints, name) !== undefined;
}

/** The ids of a hint, as they are written; one that cannot be an id spoils them all. */
function wanted({ hints }: PlacementRequest, name: string): readonly Value[] | 'malformed' {
  const hint = hints === null ? undefined : get(hints, name);
  if (hint === undefined) return [];
  const ids = isList(hint) ? hint : [hint];
  return ids.every(isUuidLike) ? ids : 'malformed';
}

/** A clustered pool is known by its cluster, on whichever of its hosts the volume's record stands. */
function isOn(pool: Pool, volume: VolumePlace, ids: readonly Value[]): boolean {
  const isThere = pool.clusterName === null ? volume.host === pool.host : volume.clusterName === pool.clusterName;
  return isThere && ids.includes(volume.id);
}
