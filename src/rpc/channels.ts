import {
  type CallOptions,
  ChannelCredentials,
  Client,
  connectivityState,
  type Metadata,
  type ServiceError,
  status as Code,
} from '@grpc/grpc-js';
import { first } from './context.js';
import { REQUEST_ID } from './headers.js';
import { type CallObserver, observed } from './interceptors/observe.js';
import { traced, type TraceCall } from './interceptors/trace.js';
import { type Answered, callLocally } from './local-call.js';
import type { LocalPeers } from './local-peers.js';
import type { Peer } from './peers.js';

/** A method as a channel calls it. */
export interface WireMethod<Req, Res> {
  readonly path: string;
  readonly serialize: (request: Req) => Buffer;
  readonly deserialize: (bytes: Buffer) => Res;
}

/** How one call is made. */
export interface WireCall {
  readonly metadata: Metadata;
  /** ms since 1970. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ChannelsOptions {
  readonly maxMessageBytes: number;
  /** @default nobody */
  readonly observer?: CallObserver;
  /** @default no traces */
  readonly trace?: TraceCall;
  /** @default plaintext */
  readonly credentials?: ChannelCredentials;
  /** Who is called without a connection. @default nobody */
  readonly local?: LocalPeers;
}

/** Whose request it is, the receiver knows. */
const NOBODY = { requestId: '', projectId: '', traceparent: '' };

/** One connection an endpoint, kept while the endpoint has a living process; none to servers of this process. */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #clients = new Map<string, Client>();

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** Calls a method. Throws the ServiceError of gRPC; an abort of the signal shows as CANCELLED. */
  unary<Req, Res>(peer: Peer, method: WireMethod<Req, Res>, request: Req, call: WireCall): Promise<Res> {
    return new Promise((resolve, reject) => {
      const { signal } = call;
      const { path } = method;
      const done = observed(this.#options.observer, path);
      const spanEnded = traced(this.#options.trace, path, {
        metadata: call.metadata,
        requestId: first(call.metadata, REQUEST_ID),
      });
      const answer = (error: ServiceError | null, response?: Res): void => {
        const code = error ? Code[error.code] : 'OK';
        spanEnded(code);
        done(code, NOBODY);
        signal?.removeEventListener('abort', cancel);
        if (error) reject(error);
        else resolve(response as Res);
      };
      const running = this.#call(peer, method, request, call, answer);
      const cancel = (): void => running.cancel();
      if (signal?.aborted) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  #call<Req, Res>(
    { incarnation, endpoint }: Peer,
    method: WireMethod<Req, Res>,
    request: Req,
    call: WireCall,
    answer: Answered<Res>,
  ): { cancel(): void } {
    const { local, maxMessageBytes } = this.#options;
    const peer = local?.find(incarnation);
    if (peer) return callLocally(peer, method, request, { ...call, maxMessageBytes }, answer);
    const { path, serialize, deserialize } = method;
    const options: CallOptions = { deadline: call.deadline };
    const client = this.#client(endpoint);
    return client.makeUnaryRequest(path, serialize, deserialize, request, call.metadata, options, answer);
  }

  /** Whether the last attempt to reach the endpoint failed and none has succeeded since. */
  isDown(endpoint: string): boolean {
    const state = this.#clients.get(endpoint)?.getChannel().getConnectivityState(false);
    return state === connectivityState.TRANSIENT_FAILURE;
  }

  /** Closes the connections to all other endpoints; calls on them end as they would without this. */
  keepOnly(endpoints: readonly string[]): void {
    for (const [endpoint, client] of this.#clients) {
      if (endpoints.includes(endpoint)) continue;
      client.close();
      this.#clients.delete(endpoint);
    }
  }

  close(): void {
    this.keepOnly([]);
  }

  #client(endpoint: string): Client {
    let client = this.#clients.get(endpoint);
    if (!client) {
      client = new Client(endpoint, this.#options.credentials ?? ChannelCredentials.createInsecure(), {
        'grpc.max_receive_message_length': this.#options.maxMessageBytes,
        'grpc.max_send_message_length': this.#options.maxMessageBytes,
        'grpc.keepalive_time_ms': 30_000,
        'grpc.keepalive_timeout_ms': 10_000,
        // a restarted peer is found again within a second or two
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 2_000,
        // peers are in our own network, whatever the environment says
        'grpc.enable_http_proxy': 0,
        'grpc.enable_channelz': 0,
      });
      this.#clients.set(endpoint, client);
    }
    return client;
  }
}
