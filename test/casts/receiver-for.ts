import type { ExecutionContext } from 'ava';
import { applyFenced, type Claim, finish } from '#src/casts/claim.js';
import { failVolume } from '#src/casts/fail-volume.js';
import type { CastHandler } from '#src/casts/handler.js';
import { CastReceiver, type ReceiverOptions } from '#src/casts/receiver.js';
import type { Store } from '#src/db/store.js';
import { BACKEND, note } from './rows.js';

/** How a piece of work ended. */
export interface Ending {
  readonly claim: Claim;
  readonly ended: Parameters<NonNullable<ReceiverOptions['onWork']>>[1];
  readonly error: unknown;
}

/** A receiver, and what became of its work. */
export interface Receiving {
  readonly receiver: CastReceiver;
  readonly endings: readonly Ending[];
  readonly errors: readonly unknown[];
  /** Waits for the next ending, in order. */
  readonly next: () => Promise<Ending>;
}

/** A receiver of a backend's casts, unless `options` say otherwise; stopped with the test. */
export function receiverFor(t: ExecutionContext, store: Store, options: Partial<ReceiverOptions> = {}): Receiving {
  const endings: Ending[] = [];
  const errors: unknown[] = [];
  const waiting: ((ending: Ending) => void)[] = [];
  let taken = 0;
  const receiver = new CastReceiver({
    store,
    binary: 'cinder-volume',
    owner: 'me',
    handlers: new Map([['CreateVolume', working(store)]]),
    serviceFor: (target) => (target === BACKEND ? 'service-1' : undefined),
    onWork: (claim, ended, error) => {
      const ending = { claim, ended, error };
      endings.push(ending);
      waiting.shift()?.(ending);
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  t.teardown(() => receiver.stop(0));
  return {
    ...{ receiver, endings, errors },
    next() {
      const ending = endings[taken++];
      return ending ? Promise.resolve(ending) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

/** A handler that notes the work in the volume's events and ends the row, after what `before` does. */
export function working(
  store: Store,
  before: (claim: Claim, signal: AbortSignal) => unknown = () => undefined,
): CastHandler {
  return {
    decode: (args) => args as never,
    run: async (claim, _request, signal) => {
      await before(claim, signal);
      await applyFenced(store, claim, [note(claim.resourceId, `made by ${claim.owner}`), finish(claim)]);
    },
    fail,
  };
}

/** As the services do. */
const fail: CastHandler['fail'] = (claim, error) =>
  failVolume({ messageTtlMs: 60_000 }, claim, {
    work: claim.method === 'DeleteVolume' ? 'delete' : 'create',
    reason: error instanceof Error ? error.message : String(error),
    action: 'CREATE_VOLUME_FROM_BACKEND',
    detail: 'DRIVER_FAILED_CREATE',
  });
