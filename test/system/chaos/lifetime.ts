import type { Lifetime } from '../../support/lifetime.js';

/** Runs what is written for a test in a program that is none: what it has registered is ended, the last first. */
export async function withLifetime<T>(run: (t: Lifetime) => Promise<T>): Promise<T> {
  const ends: (() => unknown)[] = [];
  try {
    return await run({ teardown: (end) => void ends.unshift(end) });
  } finally {
    for (const end of ends.splice(0)) await end();
  }
}
