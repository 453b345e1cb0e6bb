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
