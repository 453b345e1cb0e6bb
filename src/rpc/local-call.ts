import { EventEmitter } from 'node:events';
import { Metadata, type sendUnaryData, type ServiceError, status as Code } from '@grpc/grpc-js';
import type { WireCall, WireMethod } from './channels.js';
import type { LocalPeer, UnaryHandler } from './local-peers.js';
import type { RawUnaryCall } from './server-call.js';

/** Told once what became of a call. */
export type Answered<Res = Buffer> = (error: ServiceError | null, response?: Res) => void;

/** Calls a server of this process as grpc-js's `Client.makeUnaryRequest` calls another: the same bytes, metadata, limits and errors. */
export function callLocally<Req, Res>(
  peer: LocalPeer,
  { path, serialize, deserialize }: WireMethod<Req, Res>,
  request: Req,
  { maxMessageBytes, ...call }: WireCall & { readonly maxMessageBytes: number },
  answer: Answered<Res>,
): { cancel(): void } {
  const running = new LocalCall(call, (error, response = NO_BYTES) => {
    if (error) answer(error);
    else if (response.length > maxMessageBytes)
      answer(tooLarge(`Received message larger than max (${response.length} vs ${maxMessageBytes})`));
    else {
      const read = attempt(() => deserialize(response));
      if ('failed' in read) answer(internal('Response message parsing error', read.failed));
      else answer(null, read.value);
    }
  });
  queueMicrotask(() => {
    if (running.cancelled || call.deadline <= Date.now()) return; // its timer answers
    const written = attempt(() => serialize(request));
    if ('failed' in written) running.respond(internal('Request message serialization failure', written.failed));
    else if (written.value.length > maxMessageBytes)
      running.respond(tooLarge(`Attempted to send message with a size larger than ${maxMessageBytes}`));
    else running.begin(written.value, peer.handlerOf(path));
  });
  return running;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * A call from one part of this process to another: to its server it is one that came by HTTP/2, to its caller one that went
 * there. It is answered once, after whoever made it went on, and at its deadline at the latest.
 */
class LocalCall extends EventEmitter implements RawUnaryCall {
  request: Buffer = NO_BYTES;
  readonly metadata: Metadata;
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout;
  #answer: Answered | undefined;

  /** `deadline`: ms since 1970. */
  constructor({ metadata, deadline }: Pick<WireCall, 'metadata' | 'deadline'>, answer: Answered) {
    super();
    this.metadata = metadata;
    this.#deadline = deadline;
    this.#answer = answer;
    const leftMs = deadline - Date.now() + 1; // a timer may come a little before the clock's time
    this.#timer = setTimeout(() => this.#end(Code.DEADLINE_EXCEEDED, 'Deadline exceeded'), leftMs);
  }

  /** Whether nobody waits for an answer any more. */
  get cancelled(): boolean {
    return this.#answer === undefined;
  }

  getDeadline(): number {
    return this.#deadline;
  }

  /** Headers of an answer, which its trailers repeat where a caller of ours reads them. */
  sendMetadata(): void {
    // nobody here waits for headers
  }

  /** The server has it from here on. */
  begin(request: Buffer, handle: UnaryHandler): void {
    this.request = request;
    handle(this, this.respond);
  }

  /** What the server answers with; the caller hears of it when the server is done. */
  readonly respond: sendUnaryData<Buffer> = (error, response) => {
    const answer = this.#taken();
    queueMicrotask(() => {
      if (error) answer?.(serviceError(error.code ?? Code.UNKNOWN, error.details ?? '', error.metadata));
      else answer?.(null, response ?? undefined);
    });
  };

  /** By the caller. */
  cancel(): void {
    this.#end(Code.CANCELLED, 'Cancelled on client');
  }

  /** The server is told; what it answers then, nobody hears. */
  #end(code: Code, details: string): void {
    const answer = this.#taken();
    if (!answer) return;
    answer(serviceError(code, details));
    this.emit('cancelled', details);
  }

  #taken(): Answered | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    clearTimeout(this.#timer);
    return answer;
  }
}

/** A failed call must end as one, and not the process. */
function attempt<T>(work: () => T): { readonly value: T } | { readonly failed: unknown } {
  try {
    return { value: work() };
  } catch (failed) {
    return { failed };
  }
}

function tooLarge(details: string): ServiceError {
  return serviceError(Code.RESOURCE_EXHAUSTED, details);
}

function internal(what: string, error: unknown): ServiceError {
  return serviceError(Code.INTERNAL, `${what}: ${error instanceof Error ? error.message : String(error)}`);
}

/** An error as grpc-js gives it to a caller. */
function serviceError(code: Code, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code} ${Code[code]}: ${details}`), { code, details, metadata });
}
