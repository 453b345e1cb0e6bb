import type { ExecutionContext } from 'ava';

/** Lets at most `count` tests of a file be at work at once: each waits for its turn, which ends with the test. */
export function turns(count: number): (t: ExecutionContext) => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (t) => {
    t.timeout(240_000, 'a turn, and the test itself');
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    t.teardown(() => {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    });
  };
}
