/** How often the same is said, ms. */
const INTERVAL_MS = 10_000;

/**
 * Says something at most once in ten seconds, however often it happens: each time it is told how often it happened since
 * the last time. `uptime`: ms, never going back.
 */
export function sparingly<A extends unknown[]>(
  say: (count: number, ...about: A) => void,
  uptime: () => number = () => performance.now(),
): (...about: A) => void {
  let [saidAt, count] = [-Infinity, 0];
  return (...about) => {
    count += 1;
    if (uptime() - saidAt < INTERVAL_MS) return;
    say(count, ...about);
    [saidAt, count] = [uptime(), 0];
  };
}
