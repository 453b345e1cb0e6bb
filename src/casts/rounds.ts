/** Before a round that has more to do, ms: others have their turn. */
const MORE_PAUSE_MS = 100;

/** A loop that can be ended. */
export interface Rounds {
  start(): void;
  /** Waits for the round under way. */
  stop(): Promise<void>;
}

export interface RoundsOptions {
  /** Between the end of a round and the next, ms. */
  readonly intervalMs: number;
  /** One round. True: there is more to do, and the next one follows soon. */
  readonly round: () => Promise<boolean>;
  /** Told of a round that failed; the next one comes nevertheless. Never throws. */
  readonly onError: (error: unknown) => void;
}

/** Does something again and again until it is stopped; never twice at the same time. */
export function rounds({ intervalMs, round, onError }: RoundsOptions): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const schedule = (afterMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = round()
        .catch((error: unknown) => {
          onError(error);
          return false;
        })
        .then((isMore) => {
          schedule(isMore ? Math.min(intervalMs, MORE_PAUSE_MS) : intervalMs);
        });
    }, afterMs);
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
