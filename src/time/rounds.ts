/** A loop that can be ended. */
export interface Rounds {
  start(): void;
  /** Waits for the round under way. */
  stop(): Promise<void>;
}

export interface RoundsOptions {
  /** Between the end of a round and the next, ms. */
  readonly intervalMs: number;
  /** Before the next round where there is more to do, ms, if that is less: others have their turn. @default 100 */
  readonly moreMs?: number;
  /** One round. True: there is more to do, and the next one follows soon. */
  readonly round: (() => Promise<boolean>) | (() => Promise<void>);
  /** Told of a round that failed; the next one comes nevertheless. Never throws. */
  readonly onError: (error: unknown) => void;
}

/** Does something again and again until it is stopped; never twice at the same time. */
export function rounds({ intervalMs, moreMs = 100, round, onError }: RoundsOptions): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const schedule = (afterMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = once().then((isMore) => schedule(isMore ? Math.min(intervalMs, moreMs) : intervalMs));
    }, afterMs);
  };
  const once = async (): Promise<boolean> => {
    try {
      return (await round()) === true;
    } catch (error) {
      onError(error);
      return false;
    }
  };
  return {
    start: () => schedule(intervalMs),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
