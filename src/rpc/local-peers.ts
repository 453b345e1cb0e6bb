import type { sendUnaryData } from '@grpc/grpc-js';
import type { RawUnaryCall } from './server-call.js';

/** Answers the calls of one method. */
export type UnaryHandler = (call: RawUnaryCall, respond: sendUnaryData<Buffer>) => void;

/** A server of this process, as its clients in the same process reach it. */
export interface LocalPeer {
  /** For any path, also one that no service has. */
  handlerOf(path: string): UnaryHandler;
}

/**
 * The servers of this process that serve now, by incarnation: they add themselves, and the clients of this process call them
 * without a connection. Rule: docs/adr/0022-calls-within-a-process.md.
 */
export class LocalPeers {
  readonly #peers = new Map<string, LocalPeer>();

  /** Until `signal` is aborted. */
  add(incarnation: string, peer: LocalPeer, signal: AbortSignal): void {
    this.#peers.set(incarnation, peer);
    signal.addEventListener('abort', () => this.#peers.delete(incarnation), { once: true });
  }

  /** Undefined: it is another process, or one that stops. */
  find(incarnation: string): LocalPeer | undefined {
    return this.#peers.get(incarnation);
  }
}
