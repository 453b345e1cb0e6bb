import test from 'ava';
import { CachedRead } from '#src/rpc/cached-read.js';

/** A cache over a counter, with a clock of the test's own. */
function counting(read?: (count: number) => Promise<number>): {
  cache: CachedRead<number>;
  reads: () => number;
  wait: (ms: number) => void;
} {
  let [count, now] = [0, 0];
  const cache = new CachedRead(
    () => {
      count += 1;
      return read ? read(count) : Promise.resolve(count);
    },
    { what: 'a counter', maxAgeMs: 1_000, timeoutMs: 50, clock: () => now },
  );
  return { cache, reads: () => count, wait: (ms) => (now += ms) };
}

test('a value is read once while it is young, and by one reader at a time', async (t) => {
  const { cache, reads, wait } = counting();
  t.deepEqual(await Promise.all([cache.get(), cache.get(), cache.get()]), [1, 1, 1]);
  wait(999);
  t.is(await cache.get(), 1);
  wait(1);
  t.is(await cache.get(), 2);
  t.is(reads(), 2);
});

test('after a drop nothing older is used, not even what is being read', async (t) => {
  let release: (value: number) => void = () => undefined;
  const { cache } = counting((count) =>
    count === 1 ? new Promise((resolve) => (release = resolve)) : Promise.resolve(count),
  );
  const early = cache.get();
  cache.drop();
  t.is(await cache.get(), 2);
  release(1);
  t.is(await early, 1);
  t.is(await cache.get(), 2);
});

test('when reading fails the last value is used; without one the error is thrown', async (t) => {
  const { cache, wait } = counting((count) =>
    count === 2 ? Promise.reject(new Error('down')) : Promise.resolve(count),
  );
  await cache.get();
  wait(2_000);
  t.is(await cache.get(), 1);
  t.is(await cache.get(), 3);
  await t.throwsAsync(counting(() => Promise.reject(new Error('down'))).cache.get(), { message: 'down' });
});

test('a read that hangs does not hang its readers', async (t) => {
  const { cache, wait } = counting((count) => (count === 1 ? Promise.resolve(1) : new Promise(() => undefined)));
  await cache.get();
  wait(2_000);
  t.is(await cache.get(), 1);
  await t.throwsAsync(counting(() => new Promise(() => undefined)).cache.get(), { name: 'DeadlineExceeded' });
});
