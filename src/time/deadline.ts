import { setTimeout as delay } from 'node:timers/promises';

/** How long somebody waits: until a moment of the monotonic clock, or until they are not interested any more. */
export interface Deadline {
  /** ms, as `performance.now()`. */
  readonly at: number;
  readonly signal?: AbortSignal;
}

/** A deadline `timeoutMs` from now. */
export function deadlineIn(timeoutMs: number, signal?: AbortSignal): Deadline {
  const at = performance.now() + timeoutMs;
  return signal ? { at, signal } : { at };
}

/** Whether there is nothing left to wait for. */
export function isOver({ at, signal }: Deadline): boolean {
  return signal?.aborted === true || performance.now() >= at;
}

/** Waits `ms`, or less if the deadline comes first. Never throws. */
export async function pause(ms: number, { at, signal }: Deadline): Promise<void> {
  const left = Math.max(0, Math.min(ms, at - performance.now()));
  try {
    await delay(left, undefined, signal ? { signal } : {});
  } catch {
    // aborted: the caller looks at the deadline
  }
}

/** The promise's value, or `undefined` when the deadline comes first. The promise itself goes on. */
export async function within<T>(promise: Promise<T>, { at, signal }: Deadline): Promise<T | undefined> {
  let giveUp = (): void => undefined;
  const over = new Promise<undefined>((resolve) => {
    giveUp = () => resolve(undefined);
  });
  const timer = setTimeout(giveUp, Math.max(0, at - performance.now()));
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
