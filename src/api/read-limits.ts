import { MAX_AMOUNT } from '../quota/resources.js';
import type { Violations } from './validation.js';

const MAX_LIMITS = 300;

/** Checks the limits of a request by name and amount; `keys`: the resources there are. */
export function readLimits(
  limits: ReadonlyMap<string, number>,
  keys: ReadonlyMap<string, string>,
  bad: Violations,
): void {
  if (limits.size === 0) bad.add('limits', 'must name at least one resource');
  if (limits.size > MAX_LIMITS) bad.add('limits', `must name at most ${MAX_LIMITS} resources`);
  for (const [name, limit] of limits) {
    const field = `limits[${JSON.stringify(name.slice(0, 64))}]`;
    if (!keys.has(name)) bad.add(field, 'is not a resource');
    else if (limit < -1) bad.add(field, `must be -1 (no limit) to ${MAX_AMOUNT}`);
  }
}

/**
 * Limits by their resources' keys, in the order of the keys: a map comes in any order, and requests that wrote the same rows in
 * different orders would wait for each other.
 */
export function limitsByKey(
  limits: ReadonlyMap<string, number>,
  keys: ReadonlyMap<string, string>,
): readonly (readonly [key: string, limit: number])[] {
  return [...limits]
    .map(([name, limit]) => [keys.get(name) ?? name, limit] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
