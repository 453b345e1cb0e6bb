import { type CastMessage, type ReadyWorker, SEND_LEASE_MS } from '../db/worker-row.js';
import { Fault, isFault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';
import { type Cast, DeliverRequest, DeliverResponse } from '../gen/cinder/rpc/v1/casts.js';
import { BUSY, type CastOutcome, CLAIMED, MAX_CASTS } from './casts.js';
import { inCalls } from './cast-calls.js';
import { refusal, resultFromWire } from './casts-on-the-wire.js';
import { servedVersion } from './call-errors.js';
import type { WireMethod } from './channels.js';
import { contextToCast } from './context.js';
import type { Peer } from './peers.js';
import { RemoteError } from './remote-error.js';
import type { AnyMethod, AnyService, MethodOf, RequestOf, ResponseOf, RpcName } from './service-definition.js';
import type { Cap } from './version-cap.js';
import { compareVersions, formatVersion, parseVersion, type Version, versionOf } from './version-number.js';
import { type SendOptions, VersionedClient } from './versioned-client.js';

/** A row of `workers` that is to be sent. */
export type OutgoingCast = Pick<
  ReadyWorker,
  'resourceType' | 'resourceId' | 'epoch' | 'target' | 'message' | 'context'
>;

/** An RPC as a method of a client. */
export type Calling<M extends AnyMethod, Answer = ResponseOf<M>> = (
  context: RequestContext,
  request: RequestOf<M>,
  options?: SendOptions,
) => Promise<Answer>;

/** A cast in the form for a peer, or why there is none. */
type Worded = { readonly cast: Cast } | { readonly refused: CastOutcome };

const DELIVER: WireMethod<DeliverRequest, DeliverResponse> = {
  path: '/cinder.rpc.v1.Casts/Deliver',
  serialize: (request) => Buffer.from(DeliverRequest.encode(request).finish()),
  deserialize: (bytes) => DeliverResponse.decode(bytes),
};

/** Nobody in particular: each cast carries its own context. */
const NOBODY = { requestId: '', projectId: '', userId: '', roles: [], traceparent: '' };
/** Shorter than the send lease, so that no row is sent twice at once. */
const DELIVER_TIMEOUT_MS = SEND_LEASE_MS - 200;
/** Refusals after which another look at the records may help. */
const TOO_NEW = ['UNSUPPORTED_VERSION', 'NO_SUCH_METHOD'];
const MOVED = 'NOT_MY_BACKEND';
/** What gRPC says itself, on either side, of a message beyond its limit. */
const TOO_LARGE = 'RESOURCE_EXHAUSTED';

/** A versioned client that also hands over durable casts, many at a time. */
export class CastClient<S extends AnyService> extends VersionedClient<S> {
  /** Endpoints of processes so old that they take single RPCs only. */
  readonly #single = new Set<string>();

  /**
   * Hands casts of one target to one living process; one outcome for each, in their order. What was refused as too new, or
   * because the backend has moved, is sent once more after a fresh look. Throws ServiceUnavailable when no process answers:
   * then each may or may not have been claimed.
   */
  async deliver(casts: readonly OutgoingCast[], signal?: AbortSignal): Promise<readonly CastOutcome[]> {
    if (casts.length > MAX_CASTS) throw new Error(`${casts.length} casts are more than ${MAX_CASTS}`);
    const deadline = Date.now() + DELIVER_TIMEOUT_MS;
    const options: SendOptions = { target: casts[0]?.target ?? '', deadline, ...(signal && { signal }) };
    const first = await this.#deliverOnce(casts, await this.cap(), options);
    const outcomes = [...first.outcomes];
    const again = outcomes.flatMap((outcome, index) => (isWorthAnotherLook(outcome) ? [index] : []));
    if (again.length === 0) return outcomes;
    this.reset();
    const current = await this.cap();
    // of a backend that has moved the next process may speak something else
    const served = outcomes.some(saysTooNew) ? first.served : undefined;
    const retried = await this.#deliverOnce(
      again.flatMap((index) => casts[index] ?? []),
      served ? current.loweredTo(served) : current,
      options,
    );
    again.forEach((index, position) => (outcomes[index] = retried.outcomes[position] ?? BUSY));
    return outcomes;
  }

  /** A cast as this process says it, to be kept in its row: one that runs as an older version says nothing newer. */
  inOwnWords(message: CastMessage): CastMessage {
    const { method, version, args } = this.#wordsFor({ message }, this.own);
    return { ...message, method, payload: args, payloadVersion: version };
  }

  /** An RPC as a method of its client, where no older peer needs other words than its `since` says. */
  protected calling<N extends RpcName<S>>(name: N): Calling<MethodOf<S, N>> {
    return (context, request, options) => this.call(name, context, request, options);
  }

  /** The same for a cast: it is fulfilled when the cast was taken. */
  protected casting<N extends RpcName<S>>(name: N): Calling<MethodOf<S, N>, void> {
    return async (context, request, options) => {
      await this.call(name, context, request, options);
    };
  }

  async #deliverOnce(casts: readonly OutgoingCast[], cap: Cap, options: SendOptions): Promise<Delivered> {
    const worded = casts.map((cast) => this.#worded(cast, cap));
    const sent = worded.flatMap((one) => ('cast' in one ? [one.cast] : []));
    const answers: CastOutcome[] = [];
    let served: Version | undefined;
    for (const call of inCalls(sent, this.maxMessageBytes)) {
      const delivered = await this.#send(call, options).catch((error: unknown) => {
        // what the calls before have answered holds; the rest is sent again
        if (answers.length === 0) throw error;
        return undefined;
      });
      if (!delivered) break;
      answers.push(...delivered.outcomes);
      served = lowest([served, delivered.served]);
    }
    let next = 0;
    return { outcomes: worded.map((one) => ('refused' in one ? one.refused : (answers[next++] ?? BUSY))), served };
  }

  /** One call, or several where the receiver takes less than we do. A cast that is too large alone is refused, and keeps no other. */
  async #send(casts: readonly Cast[], options: SendOptions): Promise<Delivered> {
    try {
      return await this.router.toPeer(options.target ?? '', true, (peer) => this.#hand(peer, casts, options));
    } catch (error) {
      if (!(error instanceof RemoteError) || error.code !== TOO_LARGE) throw error;
      if (casts.length === 1) return { outcomes: [{ outcome: 'refused', reason: TOO_LARGE, message: error.message }] };
      const half = Math.ceil(casts.length / 2);
      const halves = [casts.slice(0, half), casts.slice(half)];
      return together(await Promise.all(halves.map((some) => this.#send(some, options))));
    }
  }

  async #hand(peer: Peer, casts: readonly Cast[], options: SendOptions): Promise<Delivered> {
    if (this.#single.has(peer.endpoint)) return this.#handSingly(peer, casts, options);
    try {
      // each cast has its own version; the call itself is as old as the API
      const metadata = this.metadata(NOBODY, formatVersion(this.api.baseline), {});
      const { results, servedVersion } = await this.router.send(
        peer,
        DELIVER,
        { casts: [...casts] },
        metadata,
        options,
      );
      return { outcomes: results.map(resultFromWire), served: parseVersion(servedVersion) };
    } catch (error) {
      if (!Fault.is(error, 'NoSuchMethod')) throw error;
      if (this.#single.size >= 1_000) this.#single.clear();
      this.#single.add(peer.endpoint);
      return this.#handSingly(peer, casts, options);
    }
  }

  async #handSingly(peer: Peer, casts: readonly Cast[], options: SendOptions): Promise<Delivered> {
    return together(await Promise.all(casts.map((cast) => this.#handOne(peer, cast, options))));
  }

  async #handOne(peer: Peer, cast: Cast, options: SendOptions): Promise<Delivered> {
    const method: WireMethod<Buffer, undefined> = {
      path: `/${this.api.service}/${cast.method}`,
      serialize: (bytes) => bytes,
      deserialize: () => undefined,
    };
    const context = cast.context ?? NOBODY;
    try {
      await this.router.send(
        peer,
        method,
        cast.args,
        this.metadata(context, cast.version, { ...options, epoch: cast.epoch }),
        options,
      );
      return { outcomes: [CLAIMED] };
    } catch (error) {
      if (!isFault(error)) throw error;
      const isRefused = error.code === 'UNIMPLEMENTED' || Fault.is(error, 'NotMyBackend');
      return { outcomes: [isRefused ? refusal(error) : BUSY], served: servedVersion(error) };
    }
  }

  /** A row that cannot be put into words is refused alone: those beside it go. */
  #worded(cast: OutgoingCast, cap: Cap): Worded {
    try {
      this.#check(cast);
      return { cast: wireCast(cast, this.#wordsFor(cast, cap)) };
    } catch (error) {
      return { refused: refusal(isFault(error) ? error : unreadable(error)) };
    }
  }

  /**
   * A payload that is newer than this program has what it would leave out without knowing: a newer process sends it. Throws Fault
   * ServiceTooOld; an Error for what no program has written.
   */
  #check({ epoch, message: { method, payloadVersion } }: OutgoingCast): void {
    const version = versionOf(payloadVersion);
    if (compareVersions(version, this.api.version) > 0) {
      const cap = formatVersion(this.api.version);
      throw new Fault('ServiceTooOld', { binary: this.api.binary, method, needs: payloadVersion, cap });
    }
    if (!Number.isSafeInteger(epoch)) throw new Error(`${epoch} is no epoch`);
  }

  /** The row holds the newest, full form: where the peer knows all of it, the bytes go as they are. */
  #wordsFor({ message }: Pick<OutgoingCast, 'message'>, cap: Cap): Pick<Cast, 'method' | 'version' | 'args'> {
    const { method, payload, payloadVersion } = message;
    if (this.passes(method, cap) && cap.canSendVersion(payloadVersion)) {
      return { method, version: payloadVersion, args: payload };
    }
    const whole = this.#definitionOf(method).requestDeserialize(payload) as object;
    const older = this.formFor(method, whole, cap);
    const { name } = older.method;
    const serialize = this.#definitionOf(name).requestSerialize as (message: object) => Buffer;
    return { method: name, version: older.version, args: serialize(older.message) };
  }

  #definitionOf(name: string): AnyMethod {
    const method = this.definition[name.charAt(0).toLowerCase() + name.slice(1)];
    if (!method) throw new Fault('NoSuchMethod', { method: name });
    return method;
  }
}

/** What became of casts, and which version their receiver speaks, if it said so. */
interface Delivered {
  readonly outcomes: readonly CastOutcome[];
  readonly served?: Version | undefined;
}

function together(parts: readonly Delivered[]): Delivered {
  return { outcomes: parts.flatMap(({ outcomes }) => outcomes), served: lowest(parts.map(({ served }) => served)) };
}

function lowest(versions: readonly (Version | undefined)[]): Version | undefined {
  const said = versions.filter((version) => version !== undefined);
  return said.length === 0 ? undefined : said.reduce((a, b) => (compareVersions(a, b) < 0 ? a : b));
}

function isWorthAnotherLook(outcome: CastOutcome): boolean {
  return saysTooNew(outcome) || (outcome.outcome === 'refused' && outcome.reason === MOVED);
}

function saysTooNew({ outcome, reason }: CastOutcome): boolean {
  return outcome === 'refused' && TOO_NEW.includes(reason);
}

function wireCast(cast: OutgoingCast, words: Pick<Cast, 'method' | 'version' | 'args'>): Cast {
  const { resourceType, resourceId, epoch, target } = cast;
  return { resourceType, resourceId, epoch, target: target ?? '', context: contextToCast(cast.context), ...words };
}

function unreadable(error: unknown): Fault {
  const violations = [{ field: 'payload', description: String(error) }];
  return new Fault('InvalidInput', { violations, omitted: 0 });
}
