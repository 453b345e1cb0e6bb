import { type ChannelCredentials, Metadata } from '@grpc/grpc-js';
import { Fault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';
import { backendOf } from '../objects/backend-name.js';
import { saysTooNew, servedVersion } from './call-errors.js';
import { Channels, type WireMethod } from './channels.js';
import { putContext } from './context.js';
import { CAST_EPOCH, RPC_SECRET, RPC_TARGET, RPC_VERSION } from './headers.js';
import type { CallObserver } from './interceptors/observe.js';
import type { TraceCall } from './interceptors/trace.js';
import type { LocalPeers } from './local-peers.js';
import { OLDEST_OBJECT_VERSION, ownObjectVersion } from './object-history.js';
import { OlderForms, type Prepared } from './older-form.js';
import { type Peer, Peers, type ReadPeers } from './peers.js';
import { type Patience, Router } from './router.js';
import {
  type AnyService,
  type MethodOf,
  type RequestOf,
  type ResponseOf,
  type RpcName,
  serviceNameOf,
} from './service-definition.js';
import { type Loss, lossesBelow } from './version-losses.js';
import { Cap, type CapExplanation, type Registry, type ServiceVersions, VersionCap } from './version-cap.js';
import { versionOf } from './version-number.js';
import { type InternalApi, internalApiOf, ownVersion, type Rules } from './versions.js';

export interface VersionedClientOptions {
  readonly rules: Rules;
  readonly registry: Registry;
  readonly readPeers: ReadPeers;
  /** Run as this older version of the API, e.g. `3.9`. @default what the proto says */
  readonly rpcVersion?: string;
  /** Know objects as this older entry of the history does, e.g. `1.38`. @default the newest */
  readonly objectVersion?: string;
  /** Lowers the cap by configuration, e.g. `3.9`. @default none */
  readonly pin?: string;
  /** Services that were silent for longer hold nobody down any more, ms. @default 86400000 */
  readonly serviceTtlMs?: number;
  /** How old the cap may be, ms. @default 5000 */
  readonly capMaxAgeMs?: number;
  /** What a call waits for its answer when the caller has no nearer deadline, ms. @default 60000 */
  readonly timeoutMs?: number;
  readonly maxMessageBytes: number;
  /** What peers ask for. @default nothing */
  readonly secret?: string;
  /** @default plaintext */
  readonly credentials?: ChannelCredentials;
  /** Servers of this process, which are called without a connection. @default none are known */
  readonly local?: LocalPeers;
  /** Told of every call. @default nobody */
  readonly observer?: CallObserver;
  /** @default no traces */
  readonly trace?: TraceCall;
  /** Told of set fields that had to be left out, e.g. `cinder.objects.v1.Volume.use_quota`. @default nobody */
  readonly onDropped?: (method: string, fields: readonly string[], cap: Cap) => void;
  /** Told when records cannot be read and the last ones are used. @default nobody */
  readonly onStale?: (error: unknown) => void;
  /** Told of services whose records hold no version, at each read. @default nobody */
  readonly onUnreadable?: (binary: string, service: ServiceVersions) => void;
}

/** How one call is made. */
export interface SendOptions extends Patience {
  /** Backend that is meant, `host@backend` with or without a pool. @default any process */
  readonly target?: string;
  /** Of a durable cast. */
  readonly epoch?: number;
}

/** A request, or how to word it for a cap where older peers need another form than one with fields left out. */
export type Form<T> = T | ((cap: Cap) => T);

/** How a method that a peer does not know was called before, and how its message is worded then. */
export interface FormerMethod {
  readonly name: string;
  readonly reword: (message: object) => object;
}

/** Whom a fan-out reached. */
export interface FanOut {
  readonly reached: number;
  readonly failed: readonly { readonly peer: Peer; readonly error: unknown }[];
}

/**
 * Client of one internal API. Every message leaves in the form that the oldest service of the binary understands; a peer
 * that refuses it as too new is believed at once. Version rules: the API's proto; Rule: cinder/rpc.py.
 */
export class VersionedClient<S extends AnyService> {
  readonly api: InternalApi;
  /** What this process speaks itself. */
  readonly own: Cap;
  protected readonly definition: S;
  protected readonly router: Router;
  protected readonly maxMessageBytes: number;
  readonly #options: VersionedClientOptions;
  readonly #cap: VersionCap;
  readonly #forms: OlderForms;
  readonly #peers: Peers;
  readonly #channels: Channels;

  constructor(definition: S, options: VersionedClientOptions) {
    this.api = internalApiOf(options.rules, serviceNameOf(definition));
    this.definition = definition;
    const { binary } = this.api;
    const { registry, pin, serviceTtlMs, capMaxAgeMs, onStale, credentials, maxMessageBytes, observer, trace } =
      options;
    const { onUnreadable, local } = options;
    this.#options = options;
    this.maxMessageBytes = maxMessageBytes;
    this.own = new Cap({
      rpc: ownVersion(this.api, options.rpcVersion),
      objects: ownObjectVersion(options.objectVersion),
    });
    this.#forms = new OlderForms(this.api);
    this.#cap = new VersionCap({
      binary,
      registry,
      own: this.own,
      oldest: { rpc: this.api.baseline, objects: versionOf(OLDEST_OBJECT_VERSION) },
      ...(pin !== undefined && { pin }),
      ...(serviceTtlMs !== undefined && { serviceTtlMs }),
      ...(capMaxAgeMs !== undefined && { maxAgeMs: capMaxAgeMs }),
      ...(onStale && { onStale }),
      ...(onUnreadable && { onUnreadable: (service) => onUnreadable(binary, service) }),
    });
    this.#peers = new Peers({ binary, read: options.readPeers, ...(onStale && { onStale }) });
    this.#channels = new Channels({
      maxMessageBytes,
      ...(credentials && { credentials }),
      ...(local && { local }),
      ...(observer && { observer }),
      ...(trace && { trace }),
    });
    this.router = new Router({
      binary,
      peers: this.#peers,
      channels: this.#channels,
      timeoutMs: options.timeoutMs ?? 60_000,
    });
  }

  /** What may be sent now. */
  cap(): Promise<Cap> {
    return this.#cap.current();
  }

  /** The cap as the records are now, and who decides it. */
  explainCap(): Promise<CapExplanation> {
    return this.#cap.explain();
  }

  /** What cannot be said to a receiver that speaks `cap`. */
  lossesBelow(cap: Cap): readonly Loss[] {
    const former = (name: string): string | undefined => this.formerMethod?.(name, cap)?.name;
    return lossesBelow(this.api, { level: cap, own: this.own, former });
  }

  /** Sends nothing newer than `version` from now on; undefined: whatever the services speak. */
  pin(version: string | undefined): void {
    this.#cap.pin(version);
  }

  /** Forgets what is known of versions and processes; the next call reads them anew. */
  reset(): void {
    this.#cap.drop();
    this.#peers.drop();
  }

  close(): void {
    this.#channels.close();
  }

  /** A request in the form for the cap of now. Throws Fault ServiceTooOld. */
  async prepare<N extends RpcName<S>>(name: N, request: Form<RequestOf<MethodOf<S, N>>>): Promise<Prepared<object>> {
    return this.#prepare(name, request, await this.#cap.current());
  }

  /**
   * Sends a request to one process and waits for its answer, which for a cast means that it was taken. Throws the peer's
   * fault; ServiceTooOld before anything is sent; ServiceUnavailable; DeadlineExceeded and Cancelled: it may have run.
   */
  async call<N extends RpcName<S>>(
    name: N,
    context: RequestContext,
    request: Form<RequestOf<MethodOf<S, N>>>,
    options: SendOptions = {},
  ): Promise<ResponseOf<MethodOf<S, N>>> {
    const repeatable = this.api.methods.get(name)?.kind === 'cast';
    const response = await this.adapting((cap) => {
      const { method, version, message } = this.#prepare(name, request, cap);
      const wire = this.#wire(method.name);
      return this.router.toPeer(options.target ?? '', repeatable, (peer) =>
        this.router.send(peer, wire, message, this.metadata(context, version, options), options),
      );
    });
    return response as ResponseOf<MethodOf<S, N>>;
  }

  /**
   * Sends a request once to every living process, or to every one that serves the target, also to one that has only just
   * come: who is meant is read anew. Best effort: it does not throw for those it does not reach. Throws ServiceTooOld.
   */
  async fanout<N extends RpcName<S>>(
    name: N,
    context: RequestContext,
    request: Form<RequestOf<MethodOf<S, N>>>,
    options: SendOptions = {},
  ): Promise<FanOut> {
    this.#forms.method(name, await this.#cap.current());
    this.#peers.drop();
    const live = await this.router.live();
    const meant = options.target ? await this.#peers.serving(options.target) : live;
    const sent = await Promise.allSettled(
      meant.map((peer) =>
        this.adapting((cap) => {
          const { message, version } = this.#prepare(name, request, cap);
          return this.router.send(peer, this.#wire(name), message, this.metadata(context, version, options), options);
        }),
      ),
    );
    const failed = meant.flatMap((peer, index) => {
      const result = sent[index];
      return result?.status === 'rejected' ? [{ peer, error: result.reason as unknown }] : [];
    });
    return { reached: meant.length - failed.length, failed };
  }

  /** Sends in the form for the cap; a peer that finds it too new gets it once more, in the form for what it speaks. */
  protected async adapting<T>(send: (cap: Cap) => Promise<T>): Promise<T> {
    const cap = await this.#cap.current();
    try {
      return await send(cap);
    } catch (error) {
      if (!saysTooNew(error)) throw error;
      this.#cap.drop();
      const served = servedVersion(error);
      const current = await this.#cap.current();
      const lower = served ? current.loweredTo(served) : current;
      if (lower.equals(cap)) throw error;
      return send(lower);
    }
  }

  protected metadata(context: RequestContext, version: string, { target, epoch }: SendOptions): Metadata {
    const metadata = new Metadata();
    metadata.set(RPC_VERSION, version);
    if (target) metadata.set(RPC_TARGET, backendOf(target));
    if (epoch !== undefined) metadata.set(CAST_EPOCH, String(epoch));
    if (this.#options.secret) metadata.set(RPC_SECRET, this.#options.secret);
    putContext(metadata, context);
    return metadata;
  }

  /** What a method was called before it had its name; undefined: nothing, or the cap knows it. */
  protected formerMethod?(name: string, cap: Cap): FormerMethod | undefined;

  /** The form of a message for a cap, under the name the method had then. Throws Fault ServiceTooOld, NoSuchMethod. */
  protected formFor(name: string, message: object, cap: Cap): Prepared<object> {
    const former = this.formerMethod?.(name, cap);
    const prepared = this.#forms.prepare(former?.name ?? name, former ? former.reword(message) : message, cap);
    // what this process itself is too old to say is no news
    if (prepared.dropped.length > 0 && !cap.equals(this.own)) this.#options.onDropped?.(name, prepared.dropped, cap);
    return prepared;
  }

  /** Whether a message of the method needs no change for a cap. Throws as `formFor`. */
  protected passes(name: string, cap: Cap): boolean {
    return !this.formerMethod?.(name, cap) && this.#forms.passes(name, cap);
  }

  #prepare<T>(name: string, request: Form<T>, cap: Cap): Prepared<object> {
    return this.formFor(
      name,
      (typeof request === 'function' ? (request as (cap: Cap) => T)(cap) : request) as object,
      cap,
    );
  }

  #wire(name: string): WireMethod<object, unknown> {
    const method = this.definition[name.charAt(0).toLowerCase() + name.slice(1)];
    if (!method) throw new Fault('NoSuchMethod', { method: `${this.api.service}/${name}` });
    return {
      path: method.path,
      serialize: method.requestSerialize as (request: object) => Buffer,
      deserialize: method.responseDeserialize,
    };
  }
}
