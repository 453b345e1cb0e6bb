import { setTimeout as delay } from 'node:timers/promises';

/** Asks until there is an answer. Throws at the deadline. */
export async function until<T>(ask: () => Promise<T | undefined>, what: string, deadlineMs = 40_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  while (performance.now() < end) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await delay(50);
  }
  throw new Error(`waited ${deadlineMs} ms for ${what}`);
}
