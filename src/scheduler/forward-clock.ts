/** What a clock is read from, ms. */
export interface HostClocks {
  /** Since 1970; may be set. @default Date.now */
  readonly date?: () => number;
  /** Never set. @default performance.now */
  readonly uptime?: () => number;
}

/**
 * The host's clock, ms, except that it does not go back: where the host's was set back it goes on at half the pace until that has
 * caught up. By one that goes back every report would be older than the one before it, and decisions would be made by old
 * figures for as long.
 */
export function forwardClock({ date = Date.now, uptime = () => performance.now() }: HostClocks = {}): () => number {
  let latest = -Infinity;
  let readAt = uptime();
  return () => {
    const now = uptime();
    latest = Math.max(date(), latest + (now - readAt) / 2);
    readAt = now;
    return Math.floor(latest);
  };
}
