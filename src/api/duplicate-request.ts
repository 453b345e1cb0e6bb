import type { IdempotencyKey } from './requests.js';

/** Another request with the same idempotency key was recorded first; nothing of this one was. */
export class DuplicateRequest extends Error {
  override readonly name = 'DuplicateRequest';

  constructor(readonly idempotency: IdempotencyKey) {
    super('the idempotency key is taken');
  }
}
