import test from 'ava';
import { availabilityZoneFilter } from '#src/scheduler/filters/availability-zone.js';
import { poolAt, requestOf, type RecordedProperties } from '../recorded.js';
import { failing, vectors } from '../vectors.js';

interface Input {
  readonly service: { readonly availability_zone?: string | null };
  readonly filter_properties: RecordedProperties;
}

test('AvailabilityZoneFilter decides as Cinder does', (t) => {
  const cases = vectors<Input, unknown>('availability_zone_filter');
  const run = ({ service, filter_properties }: Input) => ({
    passes: availabilityZoneFilter.passes(
      poolAt('h@b#p', {}, null, service.availability_zone),
      requestOf(filter_properties),
    ),
  });
  t.true(cases.length > 40);
  t.deepEqual(failing(cases, run), []);
});

test('the reason names the zone of the pool and the zones asked for', (t) => {
  const pool = poolAt('h@b#p', {}, null, 'az1');
  const one = requestOf({ request_spec: { resource_properties: { availability_zone: 'az2' } } });
  const two = requestOf({ request_spec: { availability_zones: ['az2', 'az3'] } });
  t.is(availabilityZoneFilter.reason(pool, one), `is in zone 'az1', not in 'az2'`);
  t.is(availabilityZoneFilter.reason(pool, two), `is in zone 'az1', not in one of az2, az3`);
});
