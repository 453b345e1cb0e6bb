import type { Metadata, sendUnaryData, ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { StatusCode } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import { statusOf, type WireStatus } from './faults-on-the-wire.js';
import type { Lifetime } from './lifetime.js';

/** How long one call may take. */
export interface CallLimits {
  /** For callers who set no deadline, ms. */
  readonly defaultMs: number;
  /** A deadline farther away than this is brought nearer, ms. */
  readonly maxMs: number;
}

/** What is known of a call when it arrives. */
export interface Arrival {
  /** The method, for errors, e.g. `CreateVolume`. */
  readonly what: string;
  readonly requestId: string;
  /** Response metadata, of success and failure alike. Never changed here, so that calls may share it. */
  readonly headers: Metadata;
}

/** What is asked of a unary call: one of grpc-js has it, and one of this process. */
export interface RawUnaryCall {
  readonly request: Buffer;
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  sendMetadata(headers: Metadata): void;
  once(event: 'cancelled', listener: () => void): unknown;
}
export type RawStreamCall = ServerWritableStream<Buffer, Buffer>;
/** Of any kind that answers with a stream. */
type RawAnswerStream = RawStreamCall | ServerDuplexStream<Buffer, Buffer>;

/** What every call has: a deadline, a signal made only for those who ask for it, and one end. */
abstract class ServerCall {
  readonly arrival: Arrival;
  /** ms since 1970; Infinity: none. */
  readonly deadline: number;
  /** Owner of what the call is about, for error details; set once the caller is known. */
  projectId = '';
  readonly #call: RawUnaryCall | RawAnswerStream;
  #controller: AbortController | undefined;
  #code: StatusCode | 'OK' | undefined;

  constructor(call: RawUnaryCall | RawAnswerStream, arrival: Arrival, deadline: number) {
    this.#call = call;
    this.arrival = arrival;
    this.deadline = deadline;
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  /** Aborted, with a Fault as its reason, when the caller has gone or the deadline has passed. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#call.cancelled) this.#cancelled();
      else (this.#call as Pick<RawUnaryCall, 'once'>).once('cancelled', () => this.#cancelled());
    }
    return this.#controller.signal;
  }

  /** What the call was answered with; undefined before that. */
  get code(): StatusCode | 'OK' | undefined {
    return this.#code;
  }

  /** True for the first answer only: there is one. */
  protected answeredWith(code: StatusCode | 'OK'): boolean {
    if (this.#code !== undefined) return false;
    this.#code = code;
    return true;
  }

  protected abort(reason: Fault): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  protected statusOf(fault: Fault): WireStatus {
    const { requestId, headers } = this.arrival;
    const status = statusOf(fault, { requestId, projectId: this.projectId });
    status.metadata.merge(headers);
    return status;
  }

  /** grpc-js says `cancelled` after a regular end too; that aborts nobody. */
  #cancelled(): void {
    if (this.#code !== undefined) return;
    this.abort(new Fault(Date.now() >= this.deadline ? 'DeadlineExceeded' : 'Cancelled', { what: this.arrival.what }));
  }
}

/** A unary call until it is answered: once, whatever happens, and at the deadline at the latest. */
export class UnaryCall extends ServerCall {
  readonly #raw: RawUnaryCall;
  readonly #respond: sendUnaryData<Buffer>;
  readonly #lifetime: Lifetime;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(
    raw: RawUnaryCall,
    respond: sendUnaryData<Buffer>,
    arrival: Arrival,
    { limits, lifetime }: { readonly limits: CallLimits; readonly lifetime: Lifetime },
  ) {
    const asked = Number(raw.getDeadline());
    const now = Date.now();
    const allowed = now + (asked === Infinity ? limits.defaultMs : limits.maxMs);
    super(raw, arrival, Math.min(asked, allowed));
    this.#raw = raw;
    this.#respond = respond;
    this.#lifetime = lifetime;
    // grpc-js watches the caller's own deadline
    if (allowed < asked) {
      this.#timer = setTimeout(
        () => this.#giveUp(new Fault('DeadlineExceeded', { what: arrival.what })),
        allowed - now,
      );
    }
    lifetime.enter(this);
  }

  succeed(response: Buffer): void {
    if (!this.#end('OK')) return;
    this.#raw.sendMetadata(this.arrival.headers);
    this.#respond(null, response);
  }

  /** Returns whether this was the answer; false: the caller had one before. */
  fail(fault: Fault): boolean {
    if (!this.#end(fault.code)) return false;
    this.#respond(this.statusOf(fault));
    return true;
  }

  /** Answers that the process is stopping, whatever the handler does. */
  cut(): void {
    this.#giveUp(new Fault('ServiceStopping', {}));
  }

  #giveUp(fault: Fault): void {
    if (this.fail(fault)) this.abort(fault);
  }

  #end(code: StatusCode | 'OK'): boolean {
    clearTimeout(this.#timer);
    this.#lifetime.leave(this);
    return this.answeredWith(code);
  }
}

/** A call with a stream of answers. It has no deadline but the caller's. */
export class StreamCall extends ServerCall {
  readonly #raw: RawAnswerStream;
  readonly #leave: () => void;

  /** The stream ends when the server begins to stop. */
  constructor(raw: RawAnswerStream, arrival: Arrival, lifetime: Lifetime) {
    super(raw, arrival, Number(raw.getDeadline()));
    this.#raw = raw;
    const { stopping } = lifetime;
    const stop = (): void => this.cut();
    this.#leave = () => {
      stopping.removeEventListener('abort', stop);
      lifetime.leave(this);
    };
    lifetime.enter(this);
    if (stopping.aborted) stop();
    else stopping.addEventListener('abort', stop, { once: true });
    raw.once('close', this.#leave);
  }

  /** Sends the headers, and these with them: what was asked for has begun. */
  begin(headers: Readonly<Record<string, string>> = {}): void {
    const metadata = this.arrival.headers.clone();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    this.#raw.sendMetadata(metadata);
  }

  /** Sends a message; waits until the caller has read enough for the next one. Throws the signal's reason. */
  async send(message: Buffer): Promise<void> {
    this.signal.throwIfAborted();
    if (this.#raw.write(message)) return;
    await drained(this.#raw, this.signal);
  }

  /** Ends the stream with a fault, even while its caller reads nothing. */
  cutOff(fault: Fault): void {
    this.abort(fault);
  }

  cut(): void {
    this.abort(new Fault('ServiceStopping', {}));
  }

  succeed(): void {
    if (!this.answeredWith('OK')) return;
    this.#leave();
    this.#raw.end();
  }

  fail(fault: Fault): boolean {
    if (!this.answeredWith(fault.code)) return false;
    this.#leave();
    this.#raw.emit('error', this.statusOf(fault));
    return true;
  }
}

function drained(stream: RawAnswerStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      stream.removeListener('drain', onDrain);
      reject(signal.reason as Fault);
    };
    stream.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
