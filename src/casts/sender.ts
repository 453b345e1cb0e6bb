import { setMaxListeners } from 'node:events';
import { laneOf, type ReadyWorker, type WorkerKey } from '../db/worker-row.js';
import { delayWorker, disownAbandoned } from '../db/workers.js';
import { takeForSending } from '../db/worker-search.js';
import { RowCountMismatch, type Store, type Unit } from '../db/store.js';
import type { MessageParts } from './fail-volume.js';
import { GIVE_UP_AFTER_MS, giveUp, refuse, unreadable } from './give-up.js';
import { LATE_AFTER_MS } from './late-work.js';
import type { CastAnswer, CastTransport } from './transport.js';

/** Casts in one `Deliver` call, as the proto says. */
const BATCH = 64;

/** `Deliver` calls at once to one lane: enough to hide the round trip, few enough to fill batches. */
const CALLS_PER_LANE = 4;

/** Between two full batches of late work, ms: the rows that a crash left do not take the process from new requests. */
const LATE_PACE_MS = 250;

/** How often work is looked for that nobody is there to take over, ms: it is a day old. */
const ABANDONED_INTERVAL_MS = 60_000;

/**
 * Casts kept in memory for one target: one that hangs takes no room from the others. What does not fit stays in its row and is
 * sent by the sweep.
 */
const LANE_LIMIT = 4_096;

export interface SenderOptions extends MessageParts {
  readonly store: Store;
  readonly transport: CastTransport;
  /** How often rows that nobody sends are looked for, ms. @default 500 */
  readonly sweepIntervalMs?: number;
  /** Age at which a cast is given up, ms. @default 24 h */
  readonly giveUpAfterMs?: number;
  /** Heartbeat age at which an owner counts as dead, ms. @default 60 s */
  readonly downAfterMs?: number;
  /** How often work is looked for that nobody is there to take over, ms. @default 60 s */
  readonly abandonedIntervalMs?: number;
  /** Uniform [0, 1). @default Math.random */
  readonly random?: () => number;
  /** Told of each send as it begins; never throws. @default nobody */
  readonly begin?: (cast: ReadyWorker) => Sending;
  /** Told of work that is given up, and why; never throws. */
  readonly onGivenUp?: (cast: ReadyWorker, why: string) => void;
  /** Told what went wrong with a send; never throws. */
  readonly onProblem?: (cast: ReadyWorker, problem: string) => void;
  /** Told of a row that is not as a program writes it, in words; never throws. */
  readonly onDamage?: (key: WorkerKey, damage: string) => void;
  /** Told of a failure of the sweep itself, e.g. the database away. */
  readonly onError?: (error: unknown) => void;
}

/** What became of one send. */
export type Sent = 'claimed' | 'superseded' | 'busy' | 'refused' | 'unanswered';

/** One send, for who counts and traces. */
export interface Sending {
  /** W3C trace context that travels with the cast. */
  readonly traceparent: string;
  ended(how: Sent): void;
}

/** Casts for one target, and the calls that carry them; it lives as long as there are any. */
interface Lane {
  readonly key: string;
  readonly queue: ReadyWorker[];
  calls: number;
}

/**
 * Sends ready rows: at once, from memory, what this process made ready; by a sweep, what nobody sends. A failed send is
 * never a failure of the work. Rule: docs/protocols.md §W SEND.
 */
export class CastSender {
  readonly #options: SenderOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #stopping = new AbortController();
  /** Rows that wait in memory, each once: the sweep finds again what waits for longer than its lease. */
  readonly #queued = new Set<string>();
  #pumping = false;
  #abandonedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  readonly #calls = new Set<Promise<void>>();

  constructor(options: SenderOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stopping.signal); // one a call
  }

  start(): void {
    this.#lookForAbandonedLater();
    this.#schedule(0);
  }

  /** Ends the sweep and waits for the calls under way. What is queued stays in its rows. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) lane.queue.length = 0;
    await Promise.allSettled([this.#sweeping, ...this.#calls]);
  }

  /** Sends a row that the caller has just made ready. */
  send(cast: ReadyWorker): void {
    const row = nameOf(cast);
    if (this.#stopping.signal.aborted || this.#queued.has(row)) return;
    const key = laneOf(cast.message.binary, cast.target);
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, (lane = { key, queue: [], calls: 0 }));
    if (lane.queue.length >= LANE_LIMIT) return;
    lane.queue.push(cast);
    this.#queued.add(row);
    this.#pumpSoon();
  }

  /** One turn later, so that all that one commit made ready goes in one call. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const lane of this.#lanes.values()) this.#pump(lane);
    });
  }

  #pump(lane: Lane): void {
    while (lane.calls < CALLS_PER_LANE && lane.queue.length > 0) {
      const casts = lane.queue.splice(0, BATCH);
      for (const cast of casts) this.#queued.delete(nameOf(cast));
      lane.calls += 1;
      const call = this.#deliver(casts).finally(() => {
        lane.calls -= 1;
        this.#calls.delete(call);
        this.#pump(lane);
      });
      this.#calls.add(call);
    }
    if (lane.calls === 0) this.#lanes.delete(lane.key);
  }

  async #deliver(casts: readonly ReadyWorker[]): Promise<void> {
    const sendings = casts.map((cast) => this.#options.begin?.(cast));
    const answers = await this.#options.transport
      .deliver(
        casts.map((cast, index) => traced(cast, sendings[index])),
        this.#stopping.signal,
      )
      .catch((error: unknown) => error);
    for (const [index, sending] of sendings.entries())
      sending?.ended(answerOf(answers, index)?.outcome ?? 'unanswered');
    const settled = casts.map((cast, index) => this.#settle(cast, answers, index));
    await Promise.all(settled).catch((error: unknown) => this.#options.onError?.(error));
  }

  async #settle(cast: ReadyWorker, answers: unknown, index: number): Promise<void> {
    if (!Array.isArray(answers)) {
      await this.#delay(cast, answers instanceof Error ? answers.message : String(answers));
      return;
    }
    const answer = answerOf(answers, index);
    switch (answer?.outcome) {
      case 'claimed':
        return;
      case 'superseded':
        return this.#restUnlessGone(cast);
      case 'refused':
        return this.#refused(cast, answer);
      default:
        await this.#delay(cast, answer?.outcome ?? 'no answer');
    }
  }

  async #refused(cast: ReadyWorker, { reason, message }: CastAnswer): Promise<void> {
    switch (reason) {
      case 'NOT_BUILT':
        return this.#giveUp(cast, message, refuse(this.#options, cast, message));
      case 'INVALID_INPUT': // no time and no other process changes what cannot be put into words
        return this.#giveUp(cast, message, unreadable(this.#options, cast));
      default:
        return this.#delay(cast, message);
    }
  }

  async #giveUp(cast: ReadyWorker, why: string, unit: Unit): Promise<void> {
    try {
      await this.#options.store.apply(unit);
    } catch (error) {
      if (!(error instanceof RowCountMismatch)) await this.#rest(cast); // else somebody has the row
      this.#options.onProblem?.(cast, String(error));
      return;
    }
    this.#options.onGivenUp?.(cast, why);
  }

  /**
   * Out of date, says the receiver; mostly somebody has the work. A row that is still as it was sent is none that the receiver
   * can claim, e.g. because somebody changed it by hand: it would be sent for ever.
   */
  async #restUnlessGone(cast: ReadyWorker): Promise<void> {
    if (cast.ageMs > this.#limitMs) await this.#tooOld(cast);
    else if (await this.#rest(cast)) this.#options.onProblem?.(cast, 'its receiver cannot claim the row as it is');
  }

  /** A send that did not arrive is repeated later, at longer and longer intervals; too old, and the work is given up. */
  async #delay(cast: ReadyWorker, problem: string): Promise<void> {
    this.#options.onProblem?.(cast, problem);
    if (cast.ageMs > this.#limitMs) await this.#tooOld(cast);
    else await this.#rest(cast);
  }

  #tooOld(cast: ReadyWorker): Promise<void> {
    return this.#giveUp(cast, 'no process has taken it for too long', giveUp(this.#options, cast));
  }

  /** Whether the row was there, as it was sent. */
  async #rest(cast: ReadyWorker): Promise<boolean> {
    const [done] = await this.#options.store.apply([delayWorker(cast, this.#backoff(cast.sends))]);
    return (done?.rows ?? 0) > 0;
  }

  get #limitMs(): number {
    return this.#options.giveUpAfterMs ?? GIVE_UP_AFTER_MS;
  }

  #backoff(sends: number): number {
    const random = this.#options.random ?? Math.random;
    return Math.round(Math.min(2 ** sends, 30) * 1_000 * (0.8 + 0.4 * random()));
  }

  #schedule(afterMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep().then((pauseMs) => {
        this.#schedule(pauseMs ?? this.#options.sweepIntervalMs ?? 500);
      });
    }, afterMs);
  }

  /** A claimed row is nobody's to send: without its owner, and without anybody who could take over, no age would end it. */
  async #disownAbandoned(): Promise<void> {
    if (performance.now() < this.#abandonedAt) return;
    this.#lookForAbandonedLater();
    const { store, downAfterMs = 60_000 } = this.#options;
    await store.apply([disownAbandoned({ olderThanMs: this.#limitMs, downAfterMs, limit: BATCH })]);
  }

  #lookForAbandonedLater(): void {
    this.#abandonedAt = performance.now() + (this.#options.abandonedIntervalMs ?? ABANDONED_INTERVAL_MS);
  }

  /**
   * Takes due rows into the lanes, but for those where a batch waits already: its rows would be found again and again before
   * those of the others. Where there may be more, it answers how long to wait before the next sweep, ms.
   */
  async #sweep(): Promise<number | undefined> {
    try {
      await this.#disownAbandoned();
      const behind = [...this.#lanes.values()].filter(({ queue }) => queue.length >= BATCH).map(({ key }) => key);
      const due = await takeForSending(this.#options.store, BATCH, behind);
      for (const cast of due) {
        if (cast.damage !== undefined) this.#options.onDamage?.(cast, cast.damage);
        this.send(cast);
      }
      if (due.length < BATCH) return undefined;
      return due.some(({ ageMs }) => ageMs > LATE_AFTER_MS) ? LATE_PACE_MS : 0;
    } catch (error) {
      this.#options.onError?.(error);
      return undefined;
    }
  }
}

/** A row at one point of its life. */
function nameOf({ resourceType, resourceId, epoch }: ReadyWorker): string {
  return `${resourceType} ${resourceId} ${epoch}`;
}

function answerOf(answers: unknown, index: number): CastAnswer | undefined {
  return Array.isArray(answers) ? (answers as readonly CastAnswer[])[index] : undefined;
}

function traced(cast: ReadyWorker, sending: Sending | undefined): ReadyWorker {
  const traceparent = sending?.traceparent ?? cast.context.traceparent;
  return traceparent === cast.context.traceparent ? cast : { ...cast, context: { ...cast.context, traceparent } };
}
