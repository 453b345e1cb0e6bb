import { findIdempotency, insertIdempotency } from '../db/idempotency.js';
import type { Step, Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';
import { type Keyed, type KeyedMethod, keyOfRequest } from './idempotency-key.js';
import type { IdempotencyKey } from './requests.js';
import type { Violations } from './validation.js';

/** A request that may come twice. */
export interface RetryableRequest {
  readonly store: Store;
  readonly context: RequestContext;
  /** Undefined: the caller gave no key, so no request is a repeat of another. */
  readonly idempotency: IdempotencyKey | undefined;
}

/** A request that may come twice, with what is wrong with its fields so far. */
export interface KeyedRequest<R extends Keyed> {
  readonly store: Store;
  readonly context: RequestContext;
  readonly method: KeyedMethod<R>;
  readonly request: R;
  readonly bad: Violations;
}

/**
 * Sets something once, as `idempotent`: a late repeat does not undo what others have set since. Throws InvalidInput,
 * IdempotencyKeyReused.
 */
export async function setOnce<R extends Keyed, T>(
  { store, context, method, request, bad }: KeyedRequest<R>,
  write: (taken: readonly Step[]) => Promise<T>,
  now: () => Promise<T>,
): Promise<T> {
  const idempotency = keyOfRequest(method, request, bad);
  bad.check();
  return idempotent({ store, context, idempotency }, (take) => write(take('')), now);
}

/** The steps that take the caller's key for a resource: none without a key. They belong at the end of the request's unit. */
export type TakeKey = (resourceId: string) => readonly Step[];

/**
 * Does a request once, however often and however much at once it is sent: `write` applies one unit that ends with what
 * `take` gives; `repeat` answers a request that had its effect before, from the resource as it is now. A request that is
 * refused leaves its key free. Throws IdempotencyKeyReused for a key that stands for other parameters.
 */
export async function idempotent<T>(
  { store, context, idempotency }: RetryableRequest,
  write: (take: TakeKey) => Promise<T>,
  repeat: (resourceId: string) => Promise<T>,
): Promise<T> {
  if (!idempotency) return write(() => []);
  const { requestHash } = idempotency;
  const key = { projectId: context.projectId, userId: context.userId, rpc: idempotency.rpc, key: idempotency.key };
  const before = await accepted();
  if (before !== undefined) return repeat(before);
  try {
    return await write((resourceId) => [insertIdempotency(key, { requestHash, resourceId })]);
  } catch (error) {
    // refused, perhaps, because of what the same request, sent at the same time, has just done; or committed after all
    const winner = await accepted(error);
    if (winner === undefined) throw error;
    return repeat(winner);
  }

  /** The resource of the request that took the key. `cause` is what to throw when that cannot be read. */
  async function accepted(cause?: unknown): Promise<string | undefined> {
    const found = await findIdempotency(store, key).catch((error: unknown) => {
      throw cause ?? error;
    });
    if (found && found.requestHash !== requestHash)
      throw new Fault('IdempotencyKeyReused', { key: key.key }, { cause });
    return found?.resourceId;
  }
}
