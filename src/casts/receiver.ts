import { setMaxListeners } from 'node:events';
import { claimWorker, giveBackWorker, takeOverWorker } from '../db/worker-claims.js';
import type { WorkerKey } from '../db/worker-row.js';
import { disownWorker, hastenWorkers } from '../db/workers.js';
import { findOlderThan, findOrphans, type OrphanedWorker } from '../db/worker-search.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { Fault, isFault } from '../errors/fault.js';
import { deadlineIn, pause } from '../time/deadline.js';
import { BUSY, type CastDispatcher, type CastOutcome, CLAIMED, type IncomingCast, SUPERSEDED } from '../rpc/casts.js';
import { refusal } from '../rpc/casts-on-the-wire.js';
import { Attempts, isLate, type WorkEnd } from './attempts.js';
import { type Claim, Fenced } from './claim.js';
import type { CastHandler } from './handler.js';
import { LATE_AFTER_MS, LateWork } from './late-work.js';

/** Orphans read at once. */
const ROUND = 64;

const DEFAULT_IN_FLIGHT = 1_024;

/**
 * Within so long everybody has found a process that came up, ms: peers are read each second, and a connection that failed is
 * tried again after two and a half at most. Whoever tries before that fails once more, and would wait for long.
 */
const FOUND_WITHIN_MS = 4_000;

/** Whoever has asked for something may ask again, or be about to elsewhere: late work leaves room for so long, ms. */
const ASKED_AGAIN_MS = 100;

/** Until the next round of a take-over that had more to take than may be in hand at once, ms. */
const MORE_ORPHANS_MS = 100;

const NONE: ReadonlySet<string> = new Set();

/** A cast for a service of ours. */
interface Claimable {
  readonly cast: IncomingCast;
  readonly serviceId: string;
}

/** One piece of work, for who counts and traces. */
export interface Working {
  /** W3C trace context of the work; what it calls and hands over carries it. */
  readonly traceparent: string;
  /** `unbegun`: given back, because this process stops. */
  ended(how: WorkEnd | 'unbegun', error?: unknown): void;
}

export interface ReceiverOptions {
  readonly store: Store;
  readonly binary: 'cinder-scheduler' | 'cinder-volume';
  /** Our incarnation. */
  readonly owner: string;
  readonly handlers: ReadonlyMap<string, CastHandler>;
  /** Whether we understand all of a payload, by the lowest version that does. @default everything */
  readonly knows?: (payloadVersion: string) => boolean;
  /** The service that answers for a target: the backend's, or this scheduler's. Undefined: not served here. */
  readonly serviceFor: (target: string | null) => string | undefined;
  /** Backends whose work is ours, `host@backend`; it is what `serviceFor` answers for. @default every work of the binary */
  readonly targets?: () => readonly string[];
  /** Casts claimed and not ended. @default 1024 */
  readonly maxInFlight?: number;
  /** Heartbeat age at which an owner counts as dead, ms. @default 60 s */
  readonly downAfterMs?: number;
  /** How often orphaned work is looked for, ms. @default 1000 */
  readonly takeOverIntervalMs?: number;
  /** How long work that was left behind keeps other such work waiting, ms. @default 1000 */
  readonly lateHoldMs?: number;
  /** Told how each cast that came was answered; never throws. */
  readonly onReceived?: (method: string, outcome: CastOutcome['outcome']) => void;
  /** Told of each claimed piece of work as it begins; never throws. @default nobody */
  readonly begin?: (claim: Claim) => Working;
  /** Told each claimed piece of work and how it ended; never throws. */
  readonly onWork?: (claim: Claim, ended: WorkEnd, error?: unknown) => void;
  /** Told of a row of work that is taken over and is not as a program writes it, in words; never throws. */
  readonly onDamage?: (key: WorkerKey, damage: string) => void;
  /** Told of a failure of the take-over itself, e.g. the database away. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Takes casts: claims each row before it answers, then does the work. Finds work whose owner died and goes on with it.
 * Rule: docs/protocols.md §W CLAIM, FAIL, TAKEOVER.
 */
export class CastReceiver implements CastDispatcher {
  readonly #options: ReceiverOptions;
  readonly #inFlight = new Map<Promise<void>, Claim>();
  readonly #late: LateWork;
  readonly #attempts: Attempts;
  /** Pieces of work in flight that are not late, and until when another one is thought to come. */
  #newCount = 0;
  #askedUntil = -Infinity;
  /** The last work on a resource, and what cuts it off. */
  readonly #last = new Map<string, { readonly claim: Claim; readonly cutOff: AbortController }>();
  /** Transactions that claim, and how many casts are in them. */
  readonly #claiming = new Map<Promise<unknown>, number>();
  readonly #aborting = new AbortController();
  #stopping = false;
  #foundAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    const isAsked = (): boolean => this.#newCount > 0 || performance.now() < this.#askedUntil;
    this.#late = new LateWork({ holdMs: options.lateHoldMs ?? 1_000, isAsked });
    this.#attempts = new Attempts({
      ...{ store: options.store, handlers: options.handlers, late: this.#late },
      isStopping: () => this.#stopping,
      isAborted: () => this.#aborting.signal.aborted,
    });
    setMaxListeners(0, this.#aborting.signal); // each piece that is given back may listen: `maxInFlight` bounds them
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Hastens what waited for this binary, until everybody has found us, and begins to look for orphans. */
  async start(): Promise<void> {
    await this.#hasten();
    this.#foundAt = performance.now() + FOUND_WITHIN_MS;
    this.#schedule(0);
  }

  /** Claims nothing more, and gives back what is claimed and not begun; what is under way goes on. */
  drain(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#late.open();
  }

  /**
   * Drains, and waits for the work under way; after `graceMs` the rest is aborted: its rows stay claimed by a stopped
   * incarnation, and the next owner goes on with them.
   */
  async stop(graceMs: number): Promise<void> {
    this.drain();
    await this.#round;
    const deadline = setTimeout(() => this.#abort(), graceMs);
    await Promise.allSettled(this.#claiming.keys());
    await Promise.allSettled(this.#inFlight.keys());
    clearTimeout(deadline);
    this.#abort();
  }

  #abort(): void {
    this.#aborting.abort();
    for (const { cutOff } of this.#last.values()) cutOff.abort();
  }

  /** Claims what it can, in one transaction, which is over before it answers. The work begins after the answers are given. */
  async deliver(casts: readonly IncomingCast[]): Promise<readonly CastOutcome[]> {
    const late = this.#late.room >= casts.length ? NONE : await this.#lateAmong(casts);
    let room = this.#room;
    let lateRoom = this.#late.room;
    const plans = casts.map((cast) => {
      const serviceId = this.#options.serviceFor(cast.target || null);
      if (serviceId === undefined) return refusal(new Fault('NotMyBackend', { target: cast.target }));
      if (!this.#options.handlers.has(cast.method)) return refusal(new Fault('NotBuilt', { what: cast.method }));
      const isBehind = late.has(nameOf(cast));
      if (room <= 0 || (isBehind && lateRoom <= 0)) return BUSY;
      room -= 1;
      if (isBehind) lateRoom -= 1;
      return { cast, serviceId };
    });
    const claims = plans.filter((plan) => 'cast' in plan);
    const outcomes = (await this.#claim(claims)).values();
    const answers = plans.map((plan) => ('cast' in plan ? (outcomes.next().value ?? SUPERSEDED) : plan));
    casts.forEach(({ method }, index) => this.#options.onReceived?.(method, answers[index]?.outcome ?? 'busy'));
    return answers;
  }

  /** Takes over what dead owners left. One round; called by a timer. Returns how many rows were taken. */
  async takeOver(): Promise<number> {
    const { store, binary, owner, downAfterMs = 60_000 } = this.#options;
    const targets = this.#options.targets?.();
    let taken = 0;
    // what cannot be taken does not stand in the way of what can
    let skip = 0;
    while (this.#room > 0 && this.#late.room > 0) {
      const limit = Math.min(ROUND, this.#late.room);
      const orphans = await findOrphans(store, { binary, owner, downAfterMs, targets, limit, skip });
      for (const orphan of orphans) {
        if (await this.#takeOverAlone(orphan)) taken += 1;
        else skip += 1;
      }
      if (orphans.length < limit) break;
    }
    return taken;
  }

  /** Of what is delivered that which is late; asked only where that decides whether it is taken. */
  async #lateAmong(casts: readonly IncomingCast[]): Promise<ReadonlySet<string>> {
    const late = await findOlderThan(this.#options.store, casts.map(keyOf), LATE_AFTER_MS);
    return new Set(late.map(nameOf));
  }

  /** How many casts may be claimed now. */
  get #room(): number {
    if (this.#stopping) return 0;
    const claiming = [...this.#claiming.values()].reduce((sum, count) => sum + count, 0);
    return (this.#options.maxInFlight ?? DEFAULT_IN_FLIGHT) - this.#inFlight.size - claiming;
  }

  async #claim(claims: readonly Claimable[]): Promise<readonly CastOutcome[]> {
    if (claims.length === 0) return [];
    const { store, owner, binary } = this.#options;
    const claiming = store
      .apply(
        claims.map(({ cast, serviceId }) =>
          claimWorker({
            epoch: cast.epoch ?? null,
            ...keyOf(cast),
            owner,
            binary,
            target: cast.target || null,
            serviceId,
            lateAfterMs: LATE_AFTER_MS,
          }),
        ),
      )
      .then((done) =>
        claims.map(({ cast }, index) => {
          const row = done[index]?.returned[0];
          if (!row) return SUPERSEDED;
          this.#begin(claimOf(cast, owner, row), cast.args);
          return CLAIMED;
        }),
      )
      .finally(() => this.#claiming.delete(claiming));
    this.#claiming.set(claiming, claims.length);
    return claiming;
  }

  /** A row that cannot be taken over must not keep the others; without a database there is no next one. */
  async #takeOverAlone(orphan: OrphanedWorker): Promise<boolean> {
    try {
      return await this.#takeOverOne(orphan);
    } catch (error) {
      if (isFault(error)) throw error;
      this.#options.onError?.(error);
      return false;
    }
  }

  async #takeOverOne(orphan: OrphanedWorker): Promise<boolean> {
    const serviceId = this.#options.serviceFor(orphan.target);
    const isUnderWay = orphan.owner === this.#options.owner && this.#last.has(nameOf(orphan));
    if (serviceId === undefined || isUnderWay || this.#room <= 0 || this.#late.room <= 0) return false;
    if (!this.#knows(orphan.message)) return this.#disown(orphan);
    if (orphan.damage !== undefined) this.#options.onDamage?.(orphan, orphan.damage);
    const [done] = await this.#options.store.apply([takeOverWorker(orphan, { owner: this.#options.owner, serviceId })]);
    const claims = done?.returned[0]?.['claims'];
    if (claims === undefined) return false;
    const { resourceType, resourceId, target, context, ageMs } = orphan;
    const { method, payload } = orphan.message;
    const epoch = orphan.epoch + 1;
    this.#begin(
      {
        resourceType,
        resourceId,
        target,
        context,
        method,
        epoch,
        owner: this.#options.owner,
        claims: Number(claims),
        ageMs,
        resumed: true,
      },
      payload,
    );
    return true;
  }

  /**
   * Work in words that this version does not know, e.g. of a newer one before it, goes back on its way: SEND finds words that
   * somebody knows, or its age ends it. Begun here, it would be done without what we do not see.
   * Rule: docs/protocols.md §W TAKEOVER.
   */
  async #disown(orphan: OrphanedWorker): Promise<boolean> {
    const [done] = await this.#options.store.apply([disownWorker(orphan)]);
    return (done?.rows ?? 0) > 0;
  }

  #knows({ method, payloadVersion }: OrphanedWorker['message']): boolean {
    return this.#options.handlers.has(method) && (this.#options.knows?.(payloadVersion) ?? true);
  }

  /** Begins work; what was under way on the resource under an older claim is fenced now, and ends as soon as it can. */
  #begin(claimed: Claim, args: Uint8Array): void {
    const working = this.#options.begin?.(claimed);
    const claim = under(claimed, working?.traceparent ?? claimed.context.traceparent);
    const key = nameOf(claim);
    const before = this.#last.get(key);
    if (before && before.claim.epoch < claim.epoch) before.cutOff.abort(new Fenced(before.claim));
    const mine = { claim, cutOff: new AbortController() };
    this.#last.set(key, mine);
    const isNew = !isLate(claim);
    if (isNew) this.#newCount += 1;
    else this.#late.take();
    // the answer to the sender goes out first
    const work = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#attempts.run(claim, args, mine.cutOff.signal))
      .then((how) => {
        working?.ended(how.ended, how.error);
        if (how.ended !== 'unbegun') this.#options.onWork?.(how.claim, how.ended, how.error);
        return how.giveBack ? this.#giveBack(claim, how.isCounted) : undefined;
      })
      .finally(() => {
        if (isNew) this.#newCount -= 1;
        if (isNew) this.#askedUntil = performance.now() + ASKED_AGAIN_MS;
        this.#inFlight.delete(work);
        if (this.#last.get(key) === mine) this.#last.delete(key);
      });
    this.#inFlight.set(work, claim);
  }

  async #giveBack(claim: Claim, isCounted: boolean): Promise<void> {
    const store = this.#options.store;
    for (let pauseMs = 500; !this.#aborting.signal.aborted; pauseMs = Math.min(pauseMs * 2, 30_000)) {
      try {
        await store.apply([giveBackWorker(claim, pauseMs, isCounted)]);
        return;
      } catch (error) {
        if (error instanceof RowCountMismatch) return; // somebody else has it
        this.#options.onError?.(error);
        await pause(pauseMs, deadlineIn(pauseMs, this.#aborting.signal));
      }
    }
  }

  async #hasten(): Promise<void> {
    await this.#options.store.apply([hastenWorkers(this.#options.binary)]);
  }

  #schedule(afterMs: number): void {
    if (this.#stopping) return;
    this.#timer = setTimeout(() => {
      const isNew = performance.now() < this.#foundAt;
      this.#round = Promise.all([this.takeOver(), isNew ? this.#hasten() : undefined])
        .then(
          () => undefined,
          (error: unknown) => this.#options.onError?.(error),
        )
        .then(() => {
          const intervalMs = this.#options.takeOverIntervalMs ?? 1_000;
          this.#schedule(this.#late.room > 0 ? intervalMs : Math.min(intervalMs, MORE_ORPHANS_MS));
        });
    }, afterMs);
  }
}

/** The claim with another trace context. */
function under(claim: Claim, traceparent: string): Claim {
  const { context } = claim;
  return traceparent === context.traceparent ? claim : { ...claim, context: { ...context, traceparent } };
}

function nameOf({ resourceType, resourceId }: WorkerKey): string {
  return `${resourceType} ${resourceId}`;
}

function keyOf(cast: IncomingCast): WorkerKey {
  return { resourceType: cast.resourceType, resourceId: cast.resourceId };
}

function claimOf(cast: IncomingCast, owner: string, row: Record<string, unknown>): Claim {
  return {
    epoch: Number(row['epoch']),
    ...keyOf(cast),
    owner,
    target: cast.target || null,
    method: cast.method,
    claims: Number(row['claims']),
    ageMs: Number(row['age_ms']),
    resumed: false,
    context: cast.context,
  };
}
