import { contains } from '../python/value.js';
import { PythonError } from '../python/python-error.js';
import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import { ALL_PASS, type Filter } from './filter.js';

/** Keeps the pools in the zone, or one of the zones, asked for. Rule: cinder/scheduler/filters/availability_zone_filter.py. */
export const availabilityZoneFilter: Filter = {
  name: 'AvailabilityZoneFilter',

  passes(pool, { zones, zone }) {
    if (zones.length > 0) return contains(zones, zoneOf(pool));
    return zone === '' || zoneOf(pool) === zone;
  },

  shortcut({ zones, zone }) {
    if (zones.length === 0 && zone === '') return ALL_PASS;
    return { kind: 'standing', key: JSON.stringify(zones.length > 0 ? zones : [zone]) };
  },

  reason: (pool, request) => `is in zone '${pool.service.availabilityZone ?? ''}', not in ${asked(request)}`,

  complaint: 'are not in the availability zone asked for',
};

function zoneOf({ service }: Pool): string | null {
  if (service.availabilityZone === undefined) throw new PythonError('KeyError', 'its service has no availability zone');
  return service.availabilityZone;
}

function asked({ zones, zone }: PlacementRequest): string {
  return zones.length > 0 ? `one of ${typeof zones === 'string' ? zones : zones.join(', ')}` : `'${zone}'`;
}
