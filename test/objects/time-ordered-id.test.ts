import test from 'ava';
import { timeOrderedId } from '#src/objects/time-ordered-id.js';

test('an id is a UUID of version 7 in lower case', (t) => {
  for (let made = 0; made < 1_000; made += 1) {
    t.regex(timeOrderedId(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test('ids of different milliseconds are in the order of their making', (t) => {
  const ids = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47].map((now) => timeOrderedId(now));
  t.deepEqual([...ids].sort(), ids);
});

test('ids of one millisecond differ', (t) => {
  t.is(new Set(Array.from({ length: 10_000 }, () => timeOrderedId(1))).size, 10_000);
});
