import test from 'ava';
import { availabilityZoneFilter } from '#src/scheduler/filters/availability-zone.js';
import { poolAt, requestOf } from '../../replay/scheduler/recorded.js';

test('the reason names the zone of the pool and the zones asked for', (t) => {
  const pool = poolAt('h@b#p', {}, null, 'az1');
  const one = requestOf({ request_spec: { resource_properties: { availability_zone: 'az2' } } });
  const two = requestOf({ request_spec: { availability_zones: ['az2', 'az3'] } });
  t.is(availabilityZoneFilter.reason(pool, one), `is in zone 'az1', not in 'az2'`);
  t.is(availabilityZoneFilter.reason(pool, two), `is in zone 'az1', not in one of az2, az3`);
});
