import type { Metadata } from '@grpc/grpc-js';
import { Fault, nameOfReason } from '../errors/fault.js';
import type { Cast } from '../gen/cinder/rpc/v1/casts.js';
import type { RequestContext } from '../objects/request-context.js';
import { BUSY, type CastDispatcher, type CastOutcome, type IncomingCast } from './casts.js';
import { incomingCast, refusal } from './casts-on-the-wire.js';
import { first } from './context.js';
import { CAST_EPOCH } from './headers.js';
import type { Owns } from './interceptors/target.js';
import type { VersionGate } from './interceptors/version.js';
import { type FieldPlace, messagesAt } from './message-cut.js';
import type { OwnForm } from './own-form.js';
import type { InternalApi, InternalMethod } from './versions.js';

/** What a single RPC says of the cast that it is. */
export interface SingleCast {
  readonly method: InternalMethod;
  readonly version: string;
  /** Empty: none named. */
  readonly target: string;
  readonly context: RequestContext;
  readonly metadata: Metadata;
  readonly args: Buffer;
  /** The decoded arguments. */
  readonly request: object;
}

/** What casts are let in by. */
export interface Door {
  readonly api: InternalApi;
  readonly gate: VersionGate;
  readonly form: OwnForm;
  readonly owns: Owns;
}

/** Lets durable casts in, by whichever way they come, to one dispatcher under one set of rules. */
export class CastReceiver {
  readonly #door: Door;
  readonly #dispatcher: CastDispatcher | undefined;

  constructor(door: Door, dispatcher: CastDispatcher | undefined) {
    this.#door = door;
    this.#dispatcher = dispatcher;
  }

  /** One outcome for each cast: a refused one does not keep its neighbours. */
  async deliver(casts: readonly Cast[]): Promise<readonly CastOutcome[]> {
    const checked = casts.map((cast) => this.#checked(cast));
    const accepted = checked.filter((cast): cast is IncomingCast => !(cast instanceof Fault));
    const outcomes = (await this.#dispatch(accepted)).values();
    return checked.map((cast) => (cast instanceof Fault ? refusal(cast) : (outcomes.next().value ?? BUSY)));
  }

  /** Takes a cast that came as an RPC of its own; returns once it is claimed, or was before. Throws what refuses it. */
  async take(cast: SingleCast): Promise<void> {
    const [outcome = BUSY] = await this.#dispatch([this.#single(cast)]);
    if (outcome.outcome === 'busy')
      throw new Fault('ServiceUnavailable', { service: this.#door.api.binary, reason: 'it has enough to do' });
    if (outcome.outcome === 'refused') throw faultOf(outcome, cast);
  }

  async #dispatch(casts: readonly IncomingCast[]): Promise<readonly CastOutcome[]> {
    if (casts.length === 0) return [];
    if (this.#dispatcher) return this.#dispatcher.deliver(casts.map((cast) => this.#seen(cast)));
    return casts.map(({ method }) => refusal(new Fault('NotBuilt', { what: method })));
  }

  /** A cast as this process sees it: with nothing that is newer than itself. */
  #seen(cast: IncomingCast): IncomingCast {
    const args = this.#door.form.seen(cast.method, cast.args);
    return args === cast.args ? cast : { ...cast, args };
  }

  #checked(cast: Cast): IncomingCast | Fault {
    const { api, gate, form, owns } = this.#door;
    const method = api.methods.get(cast.method);
    if (!gate.supports(cast.version)) return gate.unsupported(cast.version, cast.method);
    if (!method?.resource || !form.knows(method)) return new Fault('NoSuchMethod', { method: cast.method });
    const { type } = method.resource;
    if (cast.resourceType !== type)
      return new Fault('NoSuchMethod', { method: `${cast.method} of a ${cast.resourceType}` });
    if (cast.target && !owns(cast.target)) return new Fault('NotMyBackend', { target: cast.target });
    return incomingCast(cast, type);
  }

  #single({ method, request, metadata, ...rest }: SingleCast): IncomingCast {
    const { resource } = method;
    const id = resource && idAt(request, resource.place);
    if (!id) {
      const violations = [{ field: resource?.place.property ?? '', description: 'is required' }];
      throw new Fault('InvalidInput', { violations, omitted: 0 });
    }
    const epoch = Number(first(metadata, CAST_EPOCH) || NaN);
    return {
      ...rest,
      method: method.name,
      resourceType: resource.type,
      resourceId: id,
      epoch: Number.isSafeInteger(epoch) ? epoch : undefined,
    };
  }
}

/** Of an object, or the id itself where the request holds no more. */
function idAt(request: object, place: FieldPlace): string | undefined {
  const held = messagesAt(request, place)[0] as string | { readonly id?: string } | undefined;
  return typeof held === 'object' ? held.id : held;
}

/** A dispatcher names its refusals by reason; a single RPC answers with the fault itself. */
function faultOf({ reason, message }: CastOutcome, cast: SingleCast): Fault {
  switch (nameOfReason(reason)) {
    case 'NotMyBackend':
      return new Fault('NotMyBackend', { target: cast.target });
    case 'NotBuilt':
      return new Fault('NotBuilt', { what: cast.method.name });
    case 'NoSuchMethod':
      return new Fault('NoSuchMethod', { method: cast.method.path });
    default:
      return new Fault('ServiceUnavailable', { service: cast.method.path, reason: message });
  }
}
