import { servicesOf } from '../../db/services.js';
import type { Store } from '../../db/store.js';
import type { AvailabilityZonesService } from '../../gen/cinder/api/v3/availability_zones.js';
import type { PublicHandler } from '../../rpc/public-server.js';

export interface ListAvailabilityZonesParts {
  readonly store: Store;
  /** `storage_availability_zone`: the zone of this API's host. */
  readonly storageZone: string;
}

/**
 * `AvailabilityZones/ListAvailabilityZones`: a zone is available while one of its volume services is enabled, up or down.
 * Rule: cinder/volume/api.py, `list_availability_zones`.
 */
export function listAvailabilityZones(
  parts: ListAvailabilityZonesParts,
): PublicHandler<typeof AvailabilityZonesService.listAvailabilityZones> {
  return async () => {
    const zones = new Map([[parts.storageZone, false]]);
    for (const { availabilityZone: name, disabled } of await servicesOf(parts.store, 'cinder-volume')) {
      zones.set(name, zones.get(name) === true || !disabled);
    }
    const byName = [...zones].sort(([a], [b]) => (a < b ? -1 : 1));
    return { availabilityZones: byName.map(([name, available]) => ({ name, available })) };
  };
}
