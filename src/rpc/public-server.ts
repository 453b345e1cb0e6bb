import { Metadata, type sendUnaryData, type Server } from '@grpc/grpc-js';
import { Fault } from '../errors/fault.js';
import { type RequestContext, seesEverything } from '../objects/request-context.js';
import { requestIdFrom, traceparentFrom } from './context.js';
import type { Descriptors } from './descriptors.js';
import { REQUEST_ID } from './headers.js';
import { authenticated, type Authenticator } from './interceptors/authenticate.js';
import { decoded } from './interceptors/decode.js';
import { faultFor, type Report } from './interceptors/error.js';
import { InFlight } from './interceptors/in-flight.js';
import { type CallObserver, observed } from './interceptors/observe.js';
import { type Policy, requireAllowed } from './interceptors/policy.js';
import { traced, type TraceCall } from './interceptors/trace.js';
import type { Lifetime } from './lifetime.js';
import { ListeningServer, type ListenOptions } from './listening-server.js';
import { withoutFields } from './message-cut.js';
import { type CallLimits, type RawStreamCall, type RawUnaryCall, StreamCall, UnaryCall } from './server-call.js';
import {
  type AnyMethod,
  type AnyService,
  asBytes,
  methodNameOf,
  type RequestOf,
  type ResponseOf,
  serviceNameOf,
} from './service-definition.js';
import { publicApiOf, type PublicMethod, type Rules } from './versions.js';
import { answerUnknownMethods } from './unknown-method.js';

/** What a handler knows of its call beside the request. */
export interface PublicCall {
  readonly context: RequestContext;
  /** ms since 1970; Infinity for a stream without one. For the calls that the handler makes in turn. */
  readonly deadline: number;
  /** Aborted, with a Fault as its reason, when the caller has gone or the deadline has passed. */
  readonly signal: AbortSignal;
}

/** The messages of a stream, and what its response headers say beside the request id. */
export interface PublicStream<T> extends AsyncIterable<T> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborted, with a Fault as its reason, to end the stream even while its caller reads nothing. */
  readonly cutOff?: AbortSignal;
}

/** Answers a request, or begins a stream: headers are sent when the promise settles, messages as they are read. */
export type PublicHandler<M extends AnyMethod> = M['responseStream'] extends true
  ? (request: RequestOf<M>, call: PublicCall) => Promise<PublicStream<ResponseOf<M>>>
  : (request: RequestOf<M>, call: PublicCall) => Promise<ResponseOf<M>>;

export type PublicHandlers<S extends AnyService> = { readonly [K in keyof S]: PublicHandler<S[K]> };

/** A service and its handlers. A missing handler does not compile. */
export interface PublicService {
  readonly definition: AnyService;
  readonly handlers: Readonly<Record<string, (request: never, call: PublicCall) => Promise<unknown>>>;
}

export function publicService<S extends AnyService>(definition: S, handlers: PublicHandlers<S>): PublicService {
  return { definition, handlers: handlers };
}

export interface PublicServerOptions extends ListenOptions {
  readonly descriptors: Descriptors;
  readonly rules: Rules;
  readonly services: readonly PublicService[];
  readonly authenticator: Authenticator;
  readonly policy: Policy;
  readonly report: Report;
  /** @default nobody */
  readonly observer?: CallObserver;
  /** @default no traces */
  readonly trace?: TraceCall;
  /** @default 60 s for callers who set no deadline, 300 s at most */
  readonly limits?: CallLimits;
  /** Most unary requests of one project at a time. @default 256 */
  readonly maxRequestsPerProject?: number;
  /** Most streams of one project at a time. @default 100 */
  readonly maxStreamsPerProject?: number;
}

const LIMITS: CallLimits = { defaultMs: 60_000, maxMs: 300_000 };

/** Starts the public API's server. Throws when a service is unknown to the rules or the address cannot be bound. */
export function publicServer(options: PublicServerOptions): Promise<ListeningServer> {
  const names = options.services.map(({ definition }) => serviceNameOf(definition));
  return ListeningServer.listen(options, options.descriptors, names, (server, lifetime) => {
    const api = new PublicApiServer(options, lifetime);
    for (const service of options.services) api.add(server, service);
    answerUnknownMethods(server, (call, path) => {
      new StreamCall(call, arrivalOf(call.metadata, path), lifetime).fail(new Fault('NoSuchMethod', { method: path }));
    });
  });
}

/** One method, ready to be called. */
interface Bound {
  readonly rules: PublicMethod;
  readonly decode: (bytes: Buffer) => unknown;
  readonly encode: (response: unknown) => Buffer;
  readonly handle: (request: unknown, call: PublicCall) => Promise<unknown>;
}

class PublicApiServer {
  readonly #options: PublicServerOptions;
  readonly #lifetime: Lifetime;
  readonly #limits: CallLimits;
  readonly #requests: InFlight;
  readonly #streams: InFlight;

  constructor(options: PublicServerOptions, lifetime: Lifetime) {
    this.#options = options;
    this.#lifetime = lifetime;
    this.#limits = options.limits ?? LIMITS;
    this.#requests = new InFlight(options.maxRequestsPerProject ?? 256, 'requests of one project');
    this.#streams = new InFlight(options.maxStreamsPerProject ?? 100, 'streams of one project');
  }

  add(server: Server, { definition, handlers }: PublicService): void {
    const api = publicApiOf(this.#options.rules, serviceNameOf(definition));
    for (const [key, method] of Object.entries(definition)) {
      const name = methodNameOf(method.path);
      const rules = api.methods.get(name);
      const handle = handlers[key] as Bound['handle'] | undefined;
      if (!rules || !handle) throw new Error(`${method.path} has no rules or no handler`);
      const bound = {
        rules,
        decode: method.requestDeserialize,
        encode: method.responseSerialize as Bound['encode'],
        handle,
      };
      server.addService(
        { [key]: asBytes(method) },
        {
          [key]: method.responseStream
            ? (raw: RawStreamCall) => void this.#stream(bound, raw)
            : (raw: RawUnaryCall, respond: sendUnaryData<Buffer>) => void this.#unary(bound, raw, respond),
        },
      );
    }
  }

  async #unary(bound: Bound, raw: RawUnaryCall, respond: sendUnaryData<Buffer>): Promise<void> {
    const call = new UnaryCall(raw, respond, arrivalOf(raw.metadata, bound.rules.name), {
      limits: this.#limits,
      lifetime: this.#lifetime,
    });
    await this.#handled(bound, call, this.#requests, async (context) => {
      const response = await bound.handle(decoded(bound.decode, raw.request), new HandlersCall(call, context));
      call.succeed(encoded(bound, response, context));
    });
  }

  async #stream(bound: Bound, raw: RawStreamCall): Promise<void> {
    const call = new StreamCall(raw, arrivalOf(raw.metadata, bound.rules.name), this.#lifetime);
    await this.#handled(bound, call, this.#streams, async (context) => {
      const messages = await bound.handle(decoded(bound.decode, raw.request), new HandlersCall(call, context));
      const stream = messages as PublicStream<unknown>;
      whenAborted(stream.cutOff, (reason) => call.cutOff(reason));
      call.begin(stream.headers);
      for await (const message of stream) await call.send(encoded(bound, message, context));
      call.signal.throwIfAborted(); // a stream that ended because it was told to
      call.succeed();
    });
  }

  /** What every call passes, in this order. A throw, wherever it comes from, becomes the call's answer. */
  async #handled(
    { rules }: Bound,
    call: UnaryCall | StreamCall,
    inFlight: InFlight,
    handle: (context: RequestContext) => Promise<void>,
  ): Promise<void> {
    const { authenticator, policy, report, observer, trace } = this.#options;
    const { requestId } = call.arrival;
    const done = observed(observer, rules.path);
    const spanEnded = traced(trace, rules.path, { metadata: call.metadata, requestId });
    const ended = (code: string): void => {
      spanEnded(code);
      done(code, { requestId, projectId: call.projectId, traceparent: traceparentFrom(call.metadata) });
    };
    try {
      const context = await authenticated(authenticator, call.metadata, requestId);
      call.projectId = context.projectId;
      requireAllowed(policy, rules.policy, context);
      inFlight.enter(context.projectId);
      try {
        await handle(context);
      } finally {
        inFlight.leave(context.projectId);
      }
      ended(call.code ?? 'UNKNOWN');
    } catch (error) {
      const fault = faultFor(error, { method: rules.path, requestId, projectId: call.projectId }, report);
      call.fail(fault);
      ended(call.code ?? fault.code);
    }
  }
}

function whenAborted(signal: AbortSignal | undefined, tell: (reason: Fault) => void): void {
  if (signal?.aborted) tell(signal.reason as Fault);
  else signal?.addEventListener('abort', () => tell(signal.reason as Fault), { once: true });
}

/** Fields for administrators are taken out for everybody who does not see everything. */
function encoded({ rules, encode }: Bound, response: unknown, context: RequestContext): Buffer {
  const hidden = rules.adminOnly;
  return encode(hidden && !seesEverything(context) ? withoutFields(response as object, hidden) : response);
}

/** A signal is made only for a handler that asks for it. */
class HandlersCall implements PublicCall {
  readonly context: RequestContext;
  readonly deadline: number;
  readonly #call: UnaryCall | StreamCall;

  constructor(call: UnaryCall | StreamCall, context: RequestContext) {
    this.#call = call;
    this.context = context;
    this.deadline = call.deadline;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}

function arrivalOf(metadata: Metadata, what: string): { what: string; requestId: string; headers: Metadata } {
  const requestId = requestIdFrom(metadata);
  const headers = new Metadata();
  headers.set(REQUEST_ID, requestId);
  return { what, requestId, headers };
}
