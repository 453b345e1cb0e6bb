import { setTimeout as delay } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type BrokenLimit, type ConnectionLimits, CONNECTION_LIMITS, guardConnections } from './connection-guard.js';
import type { Descriptors } from './descriptors.js';
import { Health } from './health.js';
import { wholeRequestsWithin } from './interceptors/half-open.js';
import { Lifetime } from './lifetime.js';
import { Reflection } from './reflection.js';

/** Where a server listens and what it takes. */
export interface ListenOptions {
  /** `address:port`; port 0: any free one. */
  readonly address: string;
  /** Largest request, bytes; answers may have as many, and always the 4 MiB that clients take unless told otherwise. */
  readonly maxMessageBytes: number;
  /** Most streams of one connection at a time. @default 2000 */
  readonly maxConcurrentStreams?: number;
  /** How long the bytes of a request may take to arrive, ms. @default 30000 */
  readonly requestTimeoutMs?: number;
  /** @default plaintext */
  readonly credentials?: ServerCredentials;
  /** What a connection may take. @default CONNECTION_LIMITS */
  readonly connectionLimits?: ConnectionLimits;
  /** Told who broke a limit, once a penalty. @default nobody */
  readonly onBrokenLimit?: (broken: BrokenLimit) => void;
}

/** A gRPC server with health and reflection, from its binding to its end. */
export class ListeningServer {
  /** `address:port` with the port that was bound. */
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #health: Health;
  readonly #reflection: Reflection;
  readonly #lifetime: Lifetime;
  #stopped: Promise<void> | undefined;

  private constructor(address: string, port: number, parts: Parts) {
    this.port = port;
    this.address = address.replace(/:\d+$/, `:${port}`);
    this.#server = parts.server;
    this.#health = parts.health;
    this.#reflection = parts.reflection;
    this.#lifetime = parts.lifetime;
  }

  /**
   * Binds a server. `addServices` registers what it serves; the lifetime tells calls that the server stops. Throws when the
   * address cannot be bound.
   */
  static async listen(
    options: ListenOptions,
    descriptors: Descriptors,
    services: readonly string[],
    addServices: (server: Server, lifetime: Lifetime) => void,
  ): Promise<ListeningServer> {
    const health = new Health(services);
    const reflection = new Reflection(descriptors, [...services, 'grpc.health.v1.Health']);
    const lifetime = new Lifetime();
    const server = new Server({
      ...serverOptions(options),
      interceptors: [wholeRequestsWithin(options.requestTimeoutMs ?? 30_000)],
    });
    health.addTo(server);
    reflection.addTo(server);
    addServices(server, lifetime);
    const port = await bind(server, options);
    guardConnections(server, options.connectionLimits ?? CONNECTION_LIMITS, options.onBrokenLimit);
    return new ListeningServer(options.address, port, { server, health, reflection, lifetime });
  }

  /** What health checks say of one service, or of all. */
  setServing(serving: boolean, service?: string): void {
    this.#health.setServing(serving, service);
  }

  /**
   * Says NOT_SERVING, takes no new calls, lets running ones end and streams say goodbye; what is still open after `graceMs` is
   * answered with ServiceStopping and cut. Who does not read an answer is waited for 2 s. Never rejects; safe to repeat.
   */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#health.setServing(false);
    this.#lifetime.stop();
    this.#health.close();
    this.#reflection.close();
    // tryShutdown alone waits for ever for a client that keeps its connection; forceShutdown cuts nobody without channelz
    this.#server.drain(this.address, graceMs + GOODBYE_MS);
    const cut = setTimeout(() => this.#lifetime.cut(), graceMs);
    const over = new AbortController();
    await Promise.race([
      rest(graceMs + GOODBYE_MS + CUT_MS, over.signal),
      new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve())),
      this.#answersRead(over.signal),
    ]);
    over.abort();
    clearTimeout(cut);
    this.#server.forceShutdown();
  }

  /** Ends when no call has been open for long enough: one whose request was still on its way may come meanwhile. */
  async #answersRead(signal: AbortSignal): Promise<void> {
    do {
      await this.#lifetime.answered();
      await rest(READ_MS, signal);
    } while (!this.#lifetime.isIdle && !signal.aborted);
  }
}

/** For callers to read the answers that they have got: one that reads nothing holds nobody up. */
const READ_MS = 2_000;
/** For the last answers to be written before connections are cut. */
const GOODBYE_MS = 200;
/** How long it may take until connections that were cut are gone. */
const CUT_MS = 1_000;

/** Waits, or less when it is over. Never rejects. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

interface Parts {
  readonly server: Server;
  readonly health: Health;
  readonly reflection: Reflection;
  readonly lifetime: Lifetime;
}

function bind(server: Server, { address, credentials }: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials ?? ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

const MIB = 1_048_576;
const MIN_ANSWER_BYTES = 4 * MIB;

function serverOptions({ maxMessageBytes, maxConcurrentStreams = 2_000 }: ListenOptions): Record<string, number> {
  return {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': Math.max(maxMessageBytes, MIN_ANSWER_BYTES),
    'grpc.max_concurrent_streams': maxConcurrentStreams,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    // node's own bound, in MiB, which grpc-js lifts
    'grpc-node.max_session_memory': Math.max(64, Math.ceil((8 * maxMessageBytes) / MIB)),
    'grpc.enable_channelz': 0,
  };
}
