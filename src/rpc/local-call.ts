import { EventEmitter } from 'node:events';
import { Metadata, type sendUnaryData, type ServiceError, status as Code } from '@grpc/grpc-js';
import type { WireCall, WireMethod } from './channels.js';
import type { LocalPeer } from './local-peers.js';
import type { RawUnaryCall } from './server-call.js';

/** Told once what became of a call. */
export type Answered<Res = Buffer> = (error: ServiceError | null, response?: Res) => void;

/** Calls a server of this process as grpc-js's `Client.makeUnaryRequest` calls another: the same bytes, metadata, limit and errors. */
export function callLocally<Req, Res>(
  peer: LocalPeer,
  { path, serialize, deserialize }: WireMethod<Req, Res>,
  request: Req,
  { maxMessageBytes, ...call }: WireCall & { readonly maxMessageBytes: number },
  answer: Answered<Res>,
): { cancel(): void } {
  const running = new LocalCall(serialize(request), call, (error, response) => {
    if (error) answer(error);
    else answer(null, deserialize(response ?? Buffer.alloc(0)));
  });
  queueMicrotask(() => {
    const { request: bytes, respond } = running;
    if (running.cancelled || call.deadline <= Date.now()) return; // its timer answers
    if (bytes.length <= maxMessageBytes) peer.handlerOf(path)(running, respond);
    else respond(serviceError(Code.RESOURCE_EXHAUSTED, `${TOO_LARGE} ${maxMessageBytes}`));
  });
  return running;
}

/** In grpc-js's words. */
const TOO_LARGE = 'Attempted to send message with a size larger than';

/**
 * A call from one part of this process to another: to its server it is one that came by HTTP/2, to its caller one that went
 * there. It is answered once, after whoever made it went on, and at its deadline at the latest.
 */
class LocalCall extends EventEmitter implements RawUnaryCall {
  readonly request: Buffer;
  readonly metadata: Metadata;
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout;
  #answer: Answered | undefined;

  /** `deadline`: ms since 1970. */
  constructor(
    request: Buffer,
    { metadata, deadline }: { readonly metadata: Metadata; readonly deadline: number },
    answer: Answered,
  ) {
    super();
    this.request = request;
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

/** An error as grpc-js gives it to a caller. */
function serviceError(code: Code, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code} ${Code[code]}: ${details}`), { code, details, metadata });
}
