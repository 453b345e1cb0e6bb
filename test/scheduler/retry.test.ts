import test from 'ava';
import { countAttempt } from '#src/scheduler/retry.js';

test('the text of the last failure does not travel on', (t) => {
  const retry = { numAttempts: 1, backends: ['h@b#p'], exc: ['boom'] };
  t.deepEqual(countAttempt(retry, 3), { numAttempts: 2, backends: ['h@b#p'], exc: [] });
});

test('an attempt beyond the last names the volume', (t) => {
  t.throws(() => countAttempt({ numAttempts: 3, backends: [], exc: [] }, 3, 'v1'), {
    name: 'NoValidBackend',
    message: 'No valid backend was found. All 3 attempts to place volume v1 have failed.',
  });
});
