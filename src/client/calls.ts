import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, type Metadata, type ServiceError } from '@grpc/grpc-js';
import { newRequestId } from '../rpc/context.js';
import { isServiceError, statusDetails } from '../rpc/faults-on-the-wire.js';
import { REQUEST_ID } from '../rpc/headers.js';
import { type CinderError, cinderError, isCinderError } from './cinder-error.js';
import {
  type CallOptions,
  type MethodDefinition,
  type MutationOptions,
  type ResponseStream,
  type ServiceClient,
  type ServiceDefinition,
  takesIdempotencyKey,
} from './methods.js';

/** What all calls of a client share. */
export interface Calls {
  readonly grpc: Client;
  /** Who calls; copied for each call. */
  readonly metadata: Metadata;
  /** Of unary calls, ms. */
  readonly timeoutMs: number;
  /** Whether this client ever had an answer: from then on its calls wait for a restart until their deadline. */
  hasAnswer: boolean;
  /** Whether an RPC may be sent again when nobody knows what became of it. */
  readonly isRepeatable: (service: string, method: string) => boolean;
}

/** The methods of a service, as functions. */
export function serviceClient<S extends ServiceDefinition>(calls: Calls, service: S): ServiceClient<S> {
  const entries = Object.entries(service.methods).map(([key, definition]) => {
    const method = wireMethod(service.fullName, definition, calls.isRepeatable(service.fullName, definition.name));
    const make = definition.responseStream ? stream : unary;
    return [key, (request: object, options: MutationOptions = {}) => make(calls, method, request, options)];
  });
  return Object.fromEntries(entries) as ServiceClient<S>;
}

/** A method whose messages the compiler has checked where it is called. */
interface WireMethod {
  readonly path: string;
  readonly encode: (request: object) => Buffer;
  readonly decode: (bytes: Buffer) => unknown;
  readonly takesKey: boolean;
  readonly isRepeatable: boolean;
}

/** Calls whose answer broke off are made again so often. */
const MAX_REPEATS = 4;
const REPEAT_AFTER_MS = 200;

function wireMethod(service: string, definition: MethodDefinition, isRepeatable: boolean): WireMethod {
  const { requestType, responseType } = definition as MethodDefinition & {
    readonly requestType: { fromPartial(message: object): object; encode(message: object): { finish(): Uint8Array } };
  };
  return {
    path: `/${service}/${definition.name}`,
    encode: (request) => Buffer.from(requestType.encode(requestType.fromPartial(request)).finish()),
    decode: (bytes) => responseType.decode(bytes),
    takesKey: takesIdempotencyKey(definition),
    isRepeatable,
  };
}

/**
 * A repeatable request that was in another's way is sent again when the service says so, until the deadline; so is one whose
 * answer had begun when its connection broke, which gRPC itself does not repeat.
 */
async function unary(calls: Calls, method: WireMethod, request: object, options: MutationOptions): Promise<unknown> {
  const deadline = Date.now() + (options.timeoutMs ?? calls.timeoutMs);
  const message = keyed(method, request, options);
  for (let broken = 0; ;) {
    try {
      return await attempt(calls, method, message, { ...options, deadline });
    } catch (error) {
      if (!isCinderError(error)) throw error;
      const isBroken = method.isRepeatable && calls.hasAnswer && error.code === 'UNAVAILABLE' && error.reason === '';
      if (isBroken) broken += 1;
      const isInTheWay = method.takesKey && error.code === 'ABORTED';
      const again = isBroken && broken <= MAX_REPEATS ? REPEAT_AFTER_MS : undefined;
      const pauseMs = isInTheWay ? error.retryAfterMs : again;
      if (pauseMs === undefined || Date.now() + pauseMs >= deadline) throw error;
      await pause(pauseMs, undefined, { signal: options.signal }).catch(() => undefined); // the next attempt says why
    }
  }
}

function attempt(
  calls: Calls,
  { path, encode, decode }: WireMethod,
  message: object,
  { deadline, signal, requestId = newRequestId() }: CallOptions & { readonly deadline: number },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const answer = (error: ServiceError | null, response?: unknown): void => {
      signal?.removeEventListener('abort', cancel);
      if (!error || isAnswer(error)) calls.hasAnswer = true;
      if (error) reject(cinderError(error, requestId));
      else resolve(response);
    };
    const metadata = metadataOf(calls, requestId);
    const running = calls.grpc.makeUnaryRequest(path, encode, decode, message, metadata, { deadline }, answer);
    const cancel = (): void => running.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}

function stream(calls: Calls, method: WireMethod, request: object, options: MutationOptions): ResponseStream<unknown> {
  const { signal, timeoutMs = Infinity, requestId = newRequestId() } = options;
  const { path, encode, decode } = method;
  const metadata = metadataOf(calls, requestId);
  const deadline = Date.now() + timeoutMs;
  const message = keyed(method, request, options);
  const running = calls.grpc.makeServerStreamRequest(path, encode, decode, message, metadata, { deadline });
  const cancel = (): void => running.cancel();
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  running.once('status', () => signal?.removeEventListener('abort', cancel));

  // kept: a stream that failed before it was read ends for its reader without an error
  let failure: CinderError | undefined;
  const opened = new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
    running.once('metadata', (headers: Metadata) => {
      calls.hasAnswer = true;
      resolve(textsOf(headers));
    });
    running.on('error', (error: Error) => {
      if (!isServiceError(error)) return; // node's own, when its reader leaves
      failure ??= cinderError(error, requestId);
      reject(failure);
    });
  });
  opened.catch(() => undefined); // those who read the messages meet it there

  const messages = async function* (): AsyncGenerator {
    try {
      for await (const message of running) yield message;
    } catch (error) {
      throw failure ?? error;
    } finally {
      cancel();
    }
    if (failure) throw failure;
  };
  return { opened, cancel, [Symbol.asyncIterator]: messages };
}

function keyed({ takesKey }: WireMethod, request: object, { idempotencyKey }: MutationOptions): object {
  if (!takesKey || (request as MutationOptions).idempotencyKey !== undefined) return request;
  return { ...request, idempotencyKey: idempotencyKey ?? randomUUID() };
}

function metadataOf({ metadata, hasAnswer }: Calls, requestId: string): Metadata {
  const own = metadata.clone();
  own.set(REQUEST_ID, requestId);
  own.setOptions({ waitForReady: hasAnswer });
  return own;
}

/** Errors of ours have details; the transport's own have none. */
function isAnswer(error: ServiceError): boolean {
  return statusDetails(error).length > 0;
}

function textsOf(headers: Metadata): ReadonlyMap<string, string> {
  const entries = Object.entries(headers.getMap()).map(([name, value]) => [name, value.toString()] as const);
  return new Map(entries);
}
