import { Metadata, type sendUnaryData, type Server } from '@grpc/grpc-js';
import { Fault, isFault } from '../errors/fault.js';
import { CastsService, DeliverResponse } from '../gen/cinder/rpc/v1/casts.js';
import type { RequestContext } from '../objects/request-context.js';
import { CastReceiver } from './cast-receiver.js';
import { castsIn, resultToWire } from './casts-on-the-wire.js';
import type { CastDispatcher } from './casts.js';
import { contextFrom, requestIdFrom } from './context.js';
import type { Descriptors } from './descriptors.js';
import { REQUEST_ID, RPC_SERVER_VERSION } from './headers.js';
import { decoded } from './interceptors/decode.js';
import { faultFor, type Report } from './interceptors/error.js';
import { type CallObserver, observed } from './interceptors/observe.js';
import { secretGate } from './interceptors/secret.js';
import { type Owns, requireOwned } from './interceptors/target.js';
import { traced, type TraceCall } from './interceptors/trace.js';
import { VersionGate } from './interceptors/version.js';
import type { Lifetime } from './lifetime.js';
import { ListeningServer, type ListenOptions } from './listening-server.js';
import type { LocalPeer, LocalPeers, UnaryHandler } from './local-peers.js';
import { type Cut, withoutFields } from './message-cut.js';
import { ownObjectVersion } from './object-history.js';
import type { Level } from './older-form.js';
import { type OwnCuts, OwnForm } from './own-form.js';
import { type Arrival, type CallLimits, type RawUnaryCall, StreamCall, UnaryCall } from './server-call.js';
import {
  type AnyMethod,
  type AnyService,
  asBytes,
  methodNameOf,
  type RequestOf,
  type ResponseOf,
  serviceNameOf,
} from './service-definition.js';
import { answerUnknownMethods } from './unknown-method.js';
import { type InternalApi, internalApiOf, type InternalMethod, ownVersion, type Rules } from './versions.js';

/** What a handler knows of its call beside the request. */
export interface InternalCall {
  readonly context: RequestContext;
  /** `host@backend`; empty: whoever got it. */
  readonly target: string;
  /** Version the request was written for. */
  readonly version: string;
  /** ms since 1970. For the calls that the handler makes in turn. */
  readonly deadline: number;
  /** Aborted, with a Fault as its reason, when the caller has gone or the deadline has passed. */
  readonly signal: AbortSignal;
}

export type InternalHandler<M extends AnyMethod> = (
  request: RequestOf<M>,
  call: InternalCall,
) => Promise<ResponseOf<M>>;

/** What a binary does itself; durable casts go to its dispatcher, the rest is answered with NOT_BUILT. */
export type InternalHandlers<S extends AnyService> = { readonly [K in keyof S]?: InternalHandler<S[K]> };

export interface InternalServerOptions<S extends AnyService> extends ListenOptions {
  readonly descriptors: Descriptors;
  readonly rules: Rules;
  /** The API that is served, e.g. `SchedulerManagerService`. */
  readonly definition: S;
  readonly handlers: InternalHandlers<S>;
  /** Takes the durable casts. @default none: they are answered with NOT_BUILT */
  readonly casts?: CastDispatcher;
  /** Run as this older version of the API, e.g. `3.9`. @default what the proto says */
  readonly rpcVersion?: string;
  /** Know objects as this older entry of the history does, e.g. `1.38`. @default the newest */
  readonly objectVersion?: string;
  /** The oldest entry of the object history among those who may call, e.g. `1.38`. @default they know what this process knows */
  readonly callersObjects?: () => Promise<string>;
  /** @default every backend */
  readonly owns?: Owns;
  /** What peers must know. @default nothing */
  readonly secret?: string;
  readonly report: Report;
  /** @default nobody */
  readonly observer?: CallObserver;
  /** @default no traces */
  readonly trace?: TraceCall;
  /** @default 60 s for callers who set no deadline, 600 s at most */
  readonly limits?: CallLimits;
  /** Where clients of this process find the server, by its incarnation. @default nowhere: they connect as others do */
  readonly local?: { readonly peers: LocalPeers; readonly incarnation: string };
}

const LIMITS: CallLimits = { defaultMs: 60_000, maxMs: 600_000 };

/** Starts the server of an internal API. Throws when the rules do not know the API or the version, or the address is taken. */
export async function internalServer<S extends AnyService>(
  options: InternalServerOptions<S>,
): Promise<ListeningServer> {
  const api = internalApiOf(options.rules, serviceNameOf(options.definition));
  const own = { rpc: ownVersion(api, options.rpcVersion), objects: ownObjectVersion(options.objectVersion) };
  const services = [api.service, serviceNameOf(CastsService)];
  const { local } = options;
  return ListeningServer.listen(options, options.descriptors, services, (server, lifetime) => {
    const internal = new InternalApiServer(options, api, own, lifetime);
    internal.addTo(server);
    local?.peers.add(local.incarnation, internal, lifetime.stopping);
    answerUnknownMethods(server, (call, path) => {
      const stream = new StreamCall(call, internal.arrivalOf(call.metadata, path), lifetime);
      stream.fail(internal.refusalOfUnknown(call.metadata, path));
    });
  });
}

/** One method, ready to be called. */
interface Bound extends OwnCuts {
  readonly rules: InternalMethod;
  readonly decode: (bytes: Buffer) => object;
  readonly encode: (response: unknown) => Buffer;
  readonly handle: ((request: unknown, call: InternalCall) => Promise<unknown>) | undefined;
}

/** What a method does once a call was let in. */
type Serve = (raw: RawUnaryCall, call: UnaryCall, version: string) => Promise<Buffer>;

class InternalApiServer implements LocalPeer {
  readonly #options: InternalServerOptions<AnyService>;
  readonly #api: InternalApi;
  readonly #form: OwnForm;
  readonly #gate: VersionGate;
  readonly #owns: Owns;
  readonly #requireSecret: (metadata: Metadata) => void;
  readonly #calls: { readonly limits: CallLimits; readonly lifetime: Lifetime };
  readonly #casts: CastReceiver;
  readonly #handlers = new Map<string, UnaryHandler>();

  constructor(options: InternalServerOptions<AnyService>, api: InternalApi, own: Level, lifetime: Lifetime) {
    this.#options = options;
    this.#api = api;
    this.#form = new OwnForm(options.definition, api, own);
    this.#gate = new VersionGate(own.rpc);
    this.#owns = options.owns ?? (() => true);
    this.#requireSecret = secretGate(options.secret ?? '');
    this.#calls = { limits: options.limits ?? LIMITS, lifetime };
    this.#casts = new CastReceiver({ api, gate: this.#gate, form: this.#form, owns: this.#owns }, options.casts);
  }

  addTo(server: Server): void {
    for (const [key, method] of Object.entries(this.#options.definition)) {
      const bound = this.#bind(key, method);
      this.#add(server, key, method, (raw, call, version) => this.#serve(bound, raw, call, version));
    }
    this.#add(server, 'deliver', CastsService.deliver, (raw) => this.#deliver(raw));
  }

  handlerOf(path: string): UnaryHandler {
    return this.#handlers.get(path) ?? ((raw, respond) => this.#refuseUnknown(path, raw, respond));
  }

  #add(server: Server, key: string, method: AnyMethod, serve: Serve): void {
    const { path } = method;
    const handler: UnaryHandler = (raw, respond) => void this.#handled(path, raw, respond, serve);
    server.addService({ [key]: asBytes(method) }, { [key]: handler });
    this.#handlers.set(path, handler);
  }

  /** What every call passes, in this order. A throw, wherever it comes from, becomes the call's answer. */
  async #handled(path: string, raw: RawUnaryCall, respond: sendUnaryData<Buffer>, serve: Serve): Promise<void> {
    const call = new UnaryCall(raw, respond, this.arrivalOf(raw.metadata, methodNameOf(path)), this.#calls);
    const { requestId } = call.arrival;
    const done = observed(this.#options.observer, path);
    const spanEnded = traced(this.#options.trace, path, { metadata: raw.metadata, requestId });
    try {
      this.#requireSecret(raw.metadata);
      const version = this.#gate.requireSupported(raw.metadata, path);
      call.succeed(await serve(raw, call, version));
    } catch (error) {
      const where = { method: path, requestId, projectId: '' };
      call.fail(faultFor(error, where, this.#options.report));
    }
    spanEnded(call.code ?? 'UNKNOWN');
    done(call.code ?? 'UNKNOWN', { requestId, projectId: '', traceparent: '' });
  }

  async #serve(bound: Bound, raw: RawUnaryCall, call: UnaryCall, version: string): Promise<Buffer> {
    const { rules, handle } = bound;
    if (!this.#form.knows(rules)) throw new Fault('NoSuchMethod', { method: rules.path });
    const target = requireOwned(raw.metadata, this.#owns);
    if (!rules.durable && !handle) throw new Fault('NotBuilt', { what: rules.path });
    const request = seen(bound, decoded(bound.decode, raw.request));
    const context = contextFrom(raw.metadata);
    if (rules.durable) {
      await this.#casts.take({
        method: rules,
        version,
        target,
        context,
        metadata: raw.metadata,
        args: raw.request,
        request,
      });
      return NO_BYTES;
    }
    const response = await handle?.(request, internalCall(call, context, target, version));
    const unsaid = await this.#unsaid(bound);
    return bound.encode(unsaid ? withoutFields(response as object, unsaid) : response);
  }

  /** Rule: cinder/service.py, `Service.start`: answers are as old as the oldest service of any binary. */
  async #unsaid({ unsaid, unsaidTo }: Bound): Promise<Cut | undefined> {
    if (unsaidTo.size === 0) return unsaid; // all but a few methods: nothing is asked for them
    return unsaidTo.get((await this.#options.callersObjects?.()) ?? '') ?? unsaid;
  }

  async #deliver(raw: RawUnaryCall): Promise<Buffer> {
    const outcomes = await this.#casts.deliver(castsIn(raw.request));
    return Buffer.from(
      DeliverResponse.encode({ results: outcomes.map(resultToWire), servedVersion: this.#gate.served }).finish(),
    );
  }

  /** A method that no proto of ours declares: a newer peer's, which is told our version first. */
  refusalOfUnknown(metadata: Metadata, path: string): Fault {
    try {
      this.#requireSecret(metadata);
      this.#gate.requireSupported(metadata, path);
    } catch (error) {
      if (isFault(error)) return error;
    }
    return new Fault('NoSuchMethod', { method: path });
  }

  #refuseUnknown(path: string, raw: RawUnaryCall, respond: sendUnaryData<Buffer>): void {
    const call = new UnaryCall(raw, respond, this.arrivalOf(raw.metadata, path), this.#calls);
    call.fail(this.refusalOfUnknown(raw.metadata, path));
  }

  arrivalOf(metadata: Metadata, what: string): Arrival {
    const requestId = requestIdFrom(metadata);
    const headers = new Metadata();
    headers.set(RPC_SERVER_VERSION, this.#gate.served);
    headers.set(REQUEST_ID, requestId);
    return { what, requestId, headers };
  }

  #bind(key: string, method: AnyMethod): Bound {
    const rules = this.#api.methods.get(methodNameOf(method.path));
    if (!rules) throw new Error(`${method.path} has no rules`);
    return {
      rules,
      decode: method.requestDeserialize as Bound['decode'],
      encode: method.responseSerialize as Bound['encode'],
      handle: this.#options.handlers[key],
      ...this.#form.cutsOf(rules.name),
    };
  }
}

const NO_BYTES = Buffer.alloc(0);

function seen({ unseen }: Bound, request: object): object {
  return unseen ? withoutFields(request, unseen) : request;
}

function internalCall(call: UnaryCall, context: RequestContext, target: string, version: string): InternalCall {
  return {
    context,
    target,
    version,
    deadline: call.deadline,
    get signal() {
      return call.signal;
    },
  };
}
