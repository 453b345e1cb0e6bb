import { RowCountMismatch, type Step, type Store } from '../db/store.js';
import type { VolumeTypeRecord } from '../db/volume-type-rows.js';
import type { VolumeType as WireVolumeType } from '../gen/cinder/api/v3/volume_types.js';
import type { RequestContext } from '../objects/request-context.js';
import type { DefaultTypes } from './default-types.js';
import { type Keyed, type KeyedMethod, keyOfRequest } from './idempotency-key.js';
import { idempotent } from './idempotent.js';
import type { Violations } from './validation.js';
import { volumeTypeView } from './views/volume-type-view.js';
import { visibleVolumeType } from './visible-volume-type.js';
import { typeReference } from './volume-type-fields.js';

/** What every RPC that writes volume types needs. */
export interface VolumeTypeChangeParts {
  readonly store: Store;
  /** What is remembered of types; to be forgotten when they change. */
  readonly defaults: DefaultTypes;
}

/** A request that changes a type. */
interface ChangeRequest extends Keyed {
  readonly volumeType: string;
}

/**
 * Changes a type, once per idempotency key. `bad` holds what is wrong with the request's other fields; `write` applies the
 * unit that ends with `taken`; `answer` is given to the first request and to its repeats. Throws InvalidInput,
 * VolumeTypeNotFound, IdempotencyKeyReused.
 */
export async function changeVolumeType<R extends ChangeRequest, T>(
  { store, defaults }: VolumeTypeChangeParts,
  {
    context,
    method,
    request,
    bad,
  }: {
    readonly context: RequestContext;
    readonly method: KeyedMethod<R>;
    readonly request: R;
    readonly bad: Violations;
  },
  write: (type: VolumeTypeRecord, taken: readonly Step[]) => Promise<unknown>,
  answer: (id: string) => Promise<T>,
): Promise<T> {
  typeReference(bad, request.volumeType);
  const idempotency = keyOfRequest(method, request, bad);
  bad.check();
  return idempotent(
    { store, context, idempotency },
    async (take) => {
      const type = await visibleVolumeType(store, context, request.volumeType);
      await write(type, take(type.id));
      defaults.forget();
      return answer(type.id);
    },
    answer,
  );
}

/** Answers a type as it is now. Throws VolumeTypeNotFound when it has been deleted since. */
export function showing(
  store: Store,
  context: RequestContext,
): (id: string) => Promise<{ readonly volumeType: WireVolumeType }> {
  return async (id) => ({ volumeType: volumeTypeView(await visibleVolumeType(store, context, id), context) });
}

/** The index of the step that found another number of rows than it must; throws every other error. */
export function missedStep(error: unknown): number {
  if (error instanceof RowCountMismatch) return error.step;
  throw error;
}
