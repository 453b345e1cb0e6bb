import test from 'ava';
import { capabilitiesFilter } from '#src/scheduler/filters/capabilities.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { poolAt, requestOf, type RecordedProperties } from '../recorded.js';
import { failing, vectors } from '../vectors.js';

interface Input {
  readonly capabilities: ValueMap;
  readonly filter_properties: RecordedProperties;
}

test('CapabilitiesFilter decides as Cinder does', (t) => {
  const cases = vectors<Input, unknown>('capabilities_filter');
  const run = ({ capabilities, filter_properties }: Input) => ({
    passes: capabilitiesFilter.passes(poolAt('h@b#p', capabilities), requestOf(filter_properties)),
  });
  t.true(cases.length > 200);
  t.deepEqual(failing(cases, run), []);
});

test('a spec never finds what JavaScript hides in every object', (t) => {
  const request = requestOf({ resource_type: { extra_specs: { 'constructor:name': 'Object' } } });
  const scoped = requestOf({ resource_type: { extra_specs: { 'capabilities:constructor:name': 'Object' } } });
  t.true(capabilitiesFilter.passes(poolAt('h@b#p'), request));
  t.false(capabilitiesFilter.passes(poolAt('h@b#p'), scoped));
});

test('the reason names the spec and what the pool reports instead', (t) => {
  const request = requestOf({ resource_type: { extra_specs: { tier: 'gold' } } });
  t.is(
    capabilitiesFilter.reason(poolAt('h@b#p', { tier: ['silver', 'bronze'] }), request),
    `reports ["silver","bronze"], where the type asks for tier 'gold'`,
  );
  t.is(capabilitiesFilter.reason(poolAt('h@b#p'), request), `does not report it, where the type asks for tier 'gold'`);
});
