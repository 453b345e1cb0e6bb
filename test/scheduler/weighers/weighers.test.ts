import test from 'ava';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { weigherParts } from '../../replay/scheduler/weighers.js';

test('unknown weighers are refused together, by name', (t) => {
  t.throws(() => weighersByName(['Heavy', 'CapacityWeigher', 'Light'], weigherParts()), {
    name: 'SchedulerHostWeigherNotFound',
    message: /Heavy, Light/,
  });
});
