import { AvailabilityZonesService } from '../../gen/cinder/api/v3/availability_zones.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { listAvailabilityZones, type ListAvailabilityZonesParts } from '../handlers/list-availability-zones.js';

/** `cinder.api.v3.AvailabilityZones`, rpc → handler. */
export function availabilityZones(parts: ListAvailabilityZonesParts): PublicService {
  return publicService(AvailabilityZonesService, { listAvailabilityZones: listAvailabilityZones(parts) });
}
