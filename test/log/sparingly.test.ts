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

test.serial('how often is judged by a clock that nobody sets', (t) => {
  const wallClock = Date.now;
  t.teardown(() => Object.assign(Date, { now: wallClock }));
  const said: string[] = [];
  const warn = sparingly((_count, about: string) => said.push(about));

  warn('at once');
  Object.assign(Date, { now: () => wallClock() + 3_600_000 });
  warn('an hour later, as the wall clock has it');

  t.deepEqual(said, ['at once']);
});
