import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { type ReadLimits, UnreadAnswers } from './unread-answers.js';

/** What a connection, and an address, may take of a server. */
export interface ConnectionLimits extends ReadLimits {
  /** Most connections of a listener at a time. */
  readonly maxConnections: number;
  /** Most connections of one address at a time. */
  readonly maxPerAddress: number;
  /** Until a client has said its HTTP/2 settings, its TLS handshake included, ms. */
  readonly helloMs: number;
  /** What the counts below are counted within, ms. */
  readonly windowMs: number;
  /** PINGs, beyond those that answer what the server sends: clients measure their bandwidth with them. */
  readonly maxPings: number;
  readonly maxSettings: number;
  /** Streams that the client took back before they were answered. */
  readonly maxResets: number;
  /** Compressed requests that are not answered yet: each costs the work of inflating it, whatever comes out. */
  readonly maxCompressed: number;
  /** Messages that were too large, by their prefix or once inflated. */
  readonly maxOversized: number;
  /** How long an address gets no new connection after one of its connections broke a limit, ms. */
  readonly penaltyMs: number;
}

/** A limit that a connection has broken. */
export interface BrokenLimit {
  readonly address: string;
  /** E.g. `maxResets`. */
  readonly limit: keyof ConnectionLimits;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  maxConnections: 2_000,
  maxPerAddress: 500,
  helloMs: 10_000,
  windowMs: 10_000,
  maxPings: 200,
  maxSettings: 50,
  maxResets: 500,
  maxCompressed: 32,
  maxOversized: 10,
  maxUnreadMs: 60_000,
  minReadRate: 16_384,
  penaltyMs: 2_000,
};

/** Of addresses under penalty; one more forgets the oldest. */
const MAX_PENALTIES = 10_000;
/** An acknowledged PING on the wire, bytes. */
const PING_BYTES = 17;
const RESOURCE_EXHAUSTED = '8';

/**
 * Watches the connections of a bound server and closes those that take more than their share: grpc-js has no such bounds, and
 * node's own end a connection long after it has cost others their answers. Call it before connections can be there.
 */
export function guardConnections(
  server: Server,
  limits: ConnectionLimits = CONNECTION_LIMITS,
  onBroken: (broken: BrokenLimit) => void = () => undefined,
): void {
  // grpc-js has no public way to its HTTP/2 servers; without this field there is nothing to guard, which a test would see
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) new ConnectionGuard(limits, onBroken).watch(http2Server);
}

class ConnectionGuard {
  readonly #limits: ConnectionLimits;
  readonly #onBroken: (broken: BrokenLimit) => void;
  readonly #unread: UnreadAnswers;
  /** Connections by address; an address without one has no entry. */
  readonly #open = new Map<string, number>();
  /** By address: until when it gets no new connection, in ms of the monotonic clock. */
  readonly #penalties = new Map<string, number>();
  /** Connections that have not said hello, by address and port. */
  readonly #silent = new Map<string, NodeJS.Timeout>();

  constructor(limits: ConnectionLimits, onBroken: (broken: BrokenLimit) => void) {
    this.#limits = limits;
    this.#onBroken = onBroken;
    this.#unread = new UnreadAnswers(limits);
  }

  watch(server: Http2Server): void {
    server.once('close', () => this.#unread.close());
    server.maxConnections = this.#limits.maxConnections;
    server.on('connection', (socket: Socket) => this.#connected(socket));
    server.on('session', (session) => this.#watchSession(session));
  }

  #connected(socket: Socket): void {
    const { remoteAddress: address = '', remotePort = 0 } = socket;
    const count = (this.#open.get(address) ?? 0) + 1;
    this.#open.set(address, count);
    const name = `${address}:${remotePort}`;
    this.#silent.set(
      name,
      setTimeout(() => socket.destroy(), this.#limits.helloMs),
    );
    socket.once('close', () => {
      this.#hello(name);
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    });
    if (count > this.#limits.maxPerAddress || this.#isUnderPenalty(address)) socket.destroy();
  }

  #hello(name: string): void {
    clearTimeout(this.#silent.get(name));
    this.#silent.delete(name);
  }

  #watchSession(session: ServerHttp2Session): void {
    const { remoteAddress: address = '', remotePort = 0 } = session.socket;
    const window = new Window(this.#limits.windowMs, () => session.socket.bytesWritten);
    let isOver = false;
    const broken = (limit: keyof ConnectionLimits): void => {
      if (isOver || session.destroyed) return;
      isOver = true;
      this.#punish(address, limit);
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      // the reason is to be written first
      setImmediate(() => session.destroy());
    };
    session.on('remoteSettings', () => {
      this.#hello(`${address}:${remotePort}`);
      if (window.count('settings') > this.#limits.maxSettings) broken('maxSettings');
    });
    session.on('ping', () => {
      const pings = window.count('pings');
      // who is sent much measures often: that many PINGs are its right
      if (pings > this.#limits.maxPings && window.bytesWritten < 2 * pings * PING_BYTES) broken('maxPings');
    });
    let compressed = 0;
    // before grpc-js, which begins to inflate at once
    session.prependListener('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      if (isCompressed(headers)) {
        compressed += 1;
        stream.once('close', () => (compressed -= 1));
        if (compressed > this.#limits.maxCompressed) broken('maxCompressed');
      }
      this.#unread.enter(stream);
      stream.once('close', () => {
        this.#unread.leave(stream);
        if (session.closed) return;
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && window.count('resets') > this.#limits.maxResets)
          broken('maxResets');
        if (refusedAsTooLarge(stream) && window.count('oversized') > this.#limits.maxOversized) broken('maxOversized');
      });
    });
  }

  #punish(address: string, limit: keyof ConnectionLimits): void {
    if (!this.#isUnderPenalty(address)) this.#onBroken({ address, limit });
    this.#penalties.delete(address);
    this.#penalties.set(address, performance.now() + this.#limits.penaltyMs);
    for (const [oldest, until] of this.#penalties) {
      if (until > performance.now() && this.#penalties.size <= MAX_PENALTIES) break;
      this.#penalties.delete(oldest);
    }
  }

  #isUnderPenalty(address: string): boolean {
    return (this.#penalties.get(address) ?? 0) > performance.now();
  }
}

/** Counts since its beginning; begins anew when its time is over. */
class Window {
  readonly #ms: number;
  readonly #written: () => number;
  #endsAt = 0;
  #writtenBefore = 0;
  #counts = { pings: 0, settings: 0, resets: 0, oversized: 0 };

  constructor(ms: number, written: () => number) {
    this.#ms = ms;
    this.#written = written;
  }

  /** What was written to the connection since the beginning, bytes. */
  get bytesWritten(): number {
    return this.#written() - this.#writtenBefore;
  }

  count(what: 'pings' | 'settings' | 'resets' | 'oversized'): number {
    const now = performance.now();
    if (now > this.#endsAt) {
      this.#endsAt = now + this.#ms;
      this.#writtenBefore = this.#written();
      this.#counts = { pings: 0, settings: 0, resets: 0, oversized: 0 };
    }
    return (this.#counts[what] += 1);
  }
}

function isCompressed({ 'grpc-encoding': encoding }: IncomingHttpHeaders): boolean {
  return encoding !== undefined && encoding !== 'identity';
}

/** grpc-js itself refused a message: our own refusals carry details. */
function refusedAsTooLarge({ sentHeaders, sentTrailers }: ServerHttp2Stream): boolean {
  // the typings say that they are always there; a stream that was reset has sent neither
  for (const headers of [sentHeaders, sentTrailers] as (ServerHttp2Stream['sentTrailers'] | undefined)[]) {
    if (headers?.['grpc-status'] !== undefined && String(headers['grpc-status']) === RESOURCE_EXHAUSTED)
      return headers['grpc-status-details-bin'] === undefined;
  }
  return false;
}
