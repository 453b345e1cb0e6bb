import { createHash } from 'node:crypto';
import type { IdempotencyKey } from './requests.js';
import type { Violations } from './validation.js';

const PRINTABLE = /^[\x20-\x7e]{1,255}$/;

/** A method as the compiler of the protos describes it, e.g. `VolumesService.deleteVolume`. */
export interface KeyedMethod<R = never> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestSerialize: (request: R) => Uint8Array;
}

/** The caller's key and the hash of what it stands for; undefined when there is none. Notes a malformed one. */
export function idempotencyKeyOf(
  method: Pick<KeyedMethod, 'path'>,
  key: string | undefined,
  request: string | Uint8Array,
  bad: Violations,
): IdempotencyKey | undefined {
  if (key === undefined) return undefined;
  if (!PRINTABLE.test(key)) bad.add('idempotency_key', 'must be 1 to 255 printable ASCII characters');
  return { rpc: method.path.slice(1), key, requestHash: createHash('sha256').update(request).digest('hex') };
}

/** A request that may have a key. */
export interface Keyed {
  readonly idempotencyKey?: string | undefined;
}

/**
 * The caller's key and the hash of every other field of the request as it travels: the same parameters give the same hash, in
 * whatever order a map came, and also at a newer process, whose request has more fields: what is not said is not sent.
 * Notes a malformed key.
 */
export function keyOfRequest<T extends Keyed>(
  method: KeyedMethod<T>,
  request: T,
  bad: Violations,
): IdempotencyKey | undefined {
  const { idempotencyKey, ...parameters } = request;
  if (idempotencyKey === undefined) return undefined;
  const fields = Object.entries(parameters).map(([name, value]) => [name, inOrder(value)] as const);
  const plain = method.requestSerialize({ ...request, ...Object.fromEntries(fields), idempotencyKey: undefined });
  return idempotencyKeyOf(method, idempotencyKey, plain, bad);
}

/** Maps have no order on the wire; the hash needs one. */
function inOrder(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  return new Map([...(value as ReadonlyMap<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1)));
}
