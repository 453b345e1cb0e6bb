import { deadlineIn, isOver, pause } from '#src/time/deadline.js';

/** Waits until something is true, at most `timeoutMs`. */
export async function eventually(
  what: string,
  isTrue: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = deadlineIn(timeoutMs);
  while (!(await isTrue())) {
    if (isOver(deadline)) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(10, deadline);
  }
}
