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
