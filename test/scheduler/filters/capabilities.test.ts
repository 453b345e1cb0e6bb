import test from 'ava';
import { capabilitiesFilter } from '#src/scheduler/filters/capabilities.js';
import { poolAt, requestOf } from '../../replay/scheduler/recorded.js';

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
