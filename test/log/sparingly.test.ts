import test from 'ava';
import { sparingly } from '#src/log/sparingly.js';

test('what happens all the time is said now and then, with how often it happened', (t) => {
  let now = 0;
  const said: unknown[] = [];
  const warn = sparingly(
    (count, about: string) => said.push([now, count, about]),
    () => now,
  );
  for (now = 0; now <= 25_000; now += 1_000) warn(`at ${now}`);
  t.deepEqual(said, [
    [0, 1, 'at 0'],
    [10_000, 10, 'at 10000'],
    [20_000, 10, 'at 20000'],
  ]);
});
