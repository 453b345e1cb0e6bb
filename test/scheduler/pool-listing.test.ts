import test from 'ava';
import { listed } from '#src/scheduler/pool-listing.js';
import type { Value } from '#src/scheduler/python/value.js';
import { decisionMaker } from './deciding.js';

const matches = test.macro({
  exec(t, capability: Value, wanted: Value, expected: boolean) {
    const { pools } = decisionMaker({ 'h@b': { tier: capability } });
    const found = listed(pools.list(), { capabilities: new Map([['tier', wanted]]) }, []);
    t.is(found.length === 1, expected);
  },
  title: (_, capability: Value, wanted: Value, expected: boolean) =>
    `a capability ${JSON.stringify(capability)} is ${expected ? '' : 'not '}listed for ${JSON.stringify(wanted)}`,
});
test(matches, true, 'yes', true);
test(matches, true, 1, true);
test(matches, 1, true, true);
test(matches, 2, true, false);
test(matches, 5, '5', true);
test(matches, ['gold'], "['gold']", true);
test(matches, null, 'None', false);
