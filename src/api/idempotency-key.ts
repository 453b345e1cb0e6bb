import { createHash } from 'node:crypto';
import type { IdempotencyKey } from './requests.js';
import type { Violations } from './validation.js';

const PRINTABLE = /^[\x20-\x7e]{1,255}$/;

/** The caller's key and the hash of what it stands for; undefined when there is none. Notes a malformed one. */
export function idempotencyKeyOf(
  key: string | undefined,
  request: string | Uint8Array,
  bad: Violations,
): IdempotencyKey | undefined {
  if (key === undefined) return undefined;
  if (!PRINTABLE.test(key)) bad.add('idempotency_key', 'must be 1 to 255 printable ASCII characters');
  return { key, requestHash: createHash('sha256').update(request).digest('hex') };
}

/**
 * The caller's key and the hash of every other field of the request: the same parameters give the same hash, in whatever
 * order a map travelled. Notes a malformed key.
 */
export function keyOfRequest(
  { idempotencyKey, ...parameters }: { readonly idempotencyKey?: string | undefined },
  bad: Violations,
): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  return idempotencyKeyOf(idempotencyKey, JSON.stringify(parameters, inOrder), bad);
}

/** Maps have no order on the wire; the hash needs one. */
function inOrder(_name: string, value: unknown): unknown {
  return value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : value;
}
