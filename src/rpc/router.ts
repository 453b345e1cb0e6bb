import type { Metadata } from '@grpc/grpc-js';
import { Fault } from '../errors/fault.js';
import { internalFault } from './call-errors.js';
import type { Channels, WireMethod } from './channels.js';
import { isServiceError } from './faults-on-the-wire.js';
import type { Peer, Peers } from './peers.js';
import { methodNameOf } from './service-definition.js';

export interface RouterOptions {
  readonly binary: string;
  readonly peers: Peers;
  readonly channels: Channels;
  /** What a call waits for its answer when the caller has no nearer deadline, ms. */
  readonly timeoutMs: number;
}

/** Until when a call is worth its while. */
export interface Patience {
  /** Of the call that this one is part of, ms since 1970. The nearer one counts. @default none */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
}

/** Which process of a binary gets a request, and the way there. */
export class Router {
  readonly #options: RouterOptions;
  #connected: readonly Peer[] = [];
  #turn = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** The living processes; connections to others are closed. */
  async live(): Promise<readonly Peer[]> {
    const live = await this.#options.peers.live();
    if (live !== this.#connected) {
      this.#connected = live;
      this.#options.channels.keepOnly(live.map(({ endpoint }) => endpoint));
    }
    return live;
  }

  /** Sends to a process that serves the target; once more to another one if the first has moved or, for casts, is gone. */
  async toPeer<T>(target: string, repeatable: boolean, send: (peer: Peer) => Promise<T>): Promise<T> {
    const peer = await this.#choose(target);
    if (!peer) throw this.#nobody(target);
    try {
      return await send(peer);
    } catch (error) {
      const moved = Fault.is(error, 'NotMyBackend');
      const gone = Fault.is(error, 'ServiceUnavailable') || Fault.is(error, 'ServiceStopping');
      if (!moved && !gone) throw error;
      this.#options.peers.drop();
      const other = moved || repeatable ? await this.#choose(target, peer) : undefined;
      if (!other) throw error;
      return send(other);
    }
  }

  /** Calls a method of one process. Throws its fault; ServiceUnavailable, DeadlineExceeded, Cancelled. */
  async send<Req, Res>(
    peer: Peer,
    method: WireMethod<Req, Res>,
    request: Req,
    metadata: Metadata,
    { deadline = Infinity, signal }: Patience,
  ): Promise<Res> {
    const own = Date.now() + this.#options.timeoutMs;
    try {
      return await this.#options.channels.unary(peer, method, request, {
        metadata,
        deadline: Math.min(deadline, own),
        signal,
      });
    } catch (error) {
      throw isServiceError(error) ? internalFault(error, this.#options.binary, methodNameOf(method.path)) : error;
    }
  }

  /** Takes turns among those that serve the target; one that could not be reached last time only when there is no other. */
  async #choose(target: string, besides?: Peer): Promise<Peer | undefined> {
    await this.live();
    const serving = await this.#options.peers.serving(target);
    const others = serving.filter(({ incarnation }) => incarnation !== besides?.incarnation);
    const up = others.filter(({ endpoint }) => !this.#options.channels.isDown(endpoint));
    const candidates = up.length > 0 ? up : others;
    this.#turn += 1;
    return candidates[this.#turn % candidates.length];
  }

  #nobody(target: string): Fault {
    const reason = target ? `no living process serves '${target}'` : 'no living process is registered';
    return new Fault('ServiceUnavailable', { service: this.#options.binary, reason });
  }
}
