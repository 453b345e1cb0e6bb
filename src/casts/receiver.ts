import {
  claimWorker,
  findOrphans,
  giveBackWorker,
  hastenWorkers,
  type OrphanedWorker,
  takeOverWorker,
  type WorkerKey,
} from '../db/workers.js';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import { BUSY, type CastDispatcher, type CastOutcome, CLAIMED, type IncomingCast, SUPERSEDED } from '../rpc/casts.js';
import { refusal } from '../rpc/casts-on-the-wire.js';
import { applyFenced, type Claim, Fenced, finish } from './claim.js';
import type { CastHandler } from './handler.js';

/** How often work may be begun before it is given up. */
export const MAX_CLAIMS = 5;

/** Rows taken over in one round. */
const ROUND = 64;

export interface ReceiverOptions {
  readonly store: Store;
  readonly binary: 'cinder-scheduler' | 'cinder-volume';
  /** Our incarnation. */
  readonly owner: string;
  readonly handlers: ReadonlyMap<string, CastHandler>;
  /** The service that answers for a target: the backend's, or this scheduler's. Undefined: not served here. */
  readonly serviceFor: (target: string | null) => string | undefined;
  /** Casts claimed and not ended. @default 1024 */
  readonly maxInFlight?: number;
  /** Heartbeat age at which an owner counts as dead, ms. @default 60 s */
  readonly downAfterMs?: number;
  /** How often orphaned work is looked for, ms. @default 1000 */
  readonly takeOverIntervalMs?: number;
  /** Told each claimed piece of work and how it ended; never throws. */
  readonly onWork?: (claim: Claim, ended: 'done' | 'fenced' | 'failed' | 'stuck', error?: unknown) => void;
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
  readonly #aborting = new AbortController();
  #claiming = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Hastens what waited for this binary, and begins to look for orphans. */
  async start(): Promise<void> {
    await this.#options.store.apply([hastenWorkers(this.#options.binary)]);
    this.#schedule(0);
  }

  /**
   * Claims nothing more and waits for the work under way; after `graceMs` the rest is aborted: its rows stay claimed by a
   * stopped incarnation, and the next owner goes on with them.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#round;
    const deadline = setTimeout(() => this.#aborting.abort(), graceMs);
    await Promise.allSettled(this.#inFlight.keys());
    clearTimeout(deadline);
  }

  /** Claims what it can, in one transaction; the answers are durable. The work begins after they are given. */
  async deliver(casts: readonly IncomingCast[]): Promise<readonly CastOutcome[]> {
    const limit = this.#options.maxInFlight ?? 1_024;
    let room = this.#stopping ? 0 : limit - this.#inFlight.size - this.#claiming;
    const plans = casts.map((cast) => {
      const serviceId = this.#options.serviceFor(cast.target || null);
      if (serviceId === undefined) return refusal(new Fault('NotMyBackend', { target: cast.target }));
      if (!this.#options.handlers.has(cast.method)) return refusal(new Fault('NotBuilt', { what: cast.method }));
      if (room <= 0) return BUSY;
      room -= 1;
      return { cast, serviceId };
    });
    const claims = plans.filter((plan) => 'cast' in plan);
    this.#claiming += claims.length;
    try {
      const done = await this.#options.store.apply(
        claims.map(({ cast, serviceId }) =>
          claimWorker({
            ...keyOf(cast),
            epoch: cast.epoch ?? null,
            owner: this.#options.owner,
            binary: this.#options.binary,
            target: cast.target || null,
            serviceId,
          }),
        ),
      );
      let next = 0;
      return plans.map((plan) => {
        if (!('cast' in plan)) return plan;
        const row = done[next++]?.returned[0];
        if (!row) return SUPERSEDED;
        this.#begin(claimOf(plan.cast, this.#options.owner, row), plan.cast.args);
        return CLAIMED;
      });
    } finally {
      this.#claiming -= claims.length;
    }
  }

  /** Takes over what dead owners left. One round; called by a timer. */
  async takeOver(): Promise<number> {
    const orphans = await findOrphans(this.#options.store, {
      binary: this.#options.binary,
      downAfterMs: this.#options.downAfterMs ?? 60_000,
      limit: ROUND,
    });
    let taken = 0;
    for (const orphan of orphans) if (await this.#takeOverOne(orphan)) taken += 1;
    return taken;
  }

  async #takeOverOne(orphan: OrphanedWorker): Promise<boolean> {
    const serviceId = this.#options.serviceFor(orphan.target);
    const limit = this.#options.maxInFlight ?? 1_024;
    const mine = orphan.owner === this.#options.owner;
    // A method that this version does not know waits for a process that does.
    const known = this.#options.handlers.has(orphan.message.method);
    if (serviceId === undefined || mine || !known || this.#stopping || this.#inFlight.size >= limit) return false;
    const [done] = await this.#options.store.apply([
      takeOverWorker(orphan, { owner: this.#options.owner, serviceId }),
    ]);
    const claims = done?.returned[0]?.['claims'];
    if (claims === undefined) return false;
    const { resourceType, resourceId, target, context } = orphan;
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
        resumed: true,
      },
      payload,
    );
    return true;
  }

  #begin(claim: Claim, args: Uint8Array): void {
    const work = this.#work(claim, args).finally(() => this.#inFlight.delete(work));
    this.#inFlight.set(work, claim);
  }

  /** Never rejects. */
  async #work(claim: Claim, args: Uint8Array): Promise<void> {
    // The answer to the sender goes out first.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const handler = this.#options.handlers.get(claim.method);
    if (!handler) return this.#giveBack(claim);
    try {
      await attempt(claim, handler, args, this.#aborting.signal);
      this.#options.onWork?.(claim, 'done');
    } catch (error) {
      if (error instanceof Fenced) this.#options.onWork?.(claim, 'fenced', error);
      else if (this.#aborting.signal.aborted) this.#options.onWork?.(claim, 'stuck', error);
      else await this.#fail(claim, handler, error);
    }
  }

  async #fail(claim: Claim, handler: CastHandler, error: unknown): Promise<void> {
    try {
      await applyFenced(this.#options.store, claim, [...handler.fail(claim, error), finish(claim)]);
      this.#options.onWork?.(claim, 'failed', error);
    } catch (failure) {
      // The row stays claimed by a living owner, whom nobody takes over: give it back to be tried again.
      this.#options.onWork?.(claim, failure instanceof Fenced ? 'fenced' : 'stuck', failure);
      if (!(failure instanceof Fenced)) await this.#giveBack(claim);
    }
  }

  async #giveBack(claim: Claim): Promise<void> {
    const store = this.#options.store;
    for (let pauseMs = 500; !this.#aborting.signal.aborted; pauseMs = Math.min(pauseMs * 2, 30_000)) {
      try {
        await store.apply([giveBackWorker(claim, pauseMs)]);
        return;
      } catch (error) {
        if (error instanceof Error && error.name === 'RowCountMismatch') return;
        this.#options.onError?.(error);
        await pause(pauseMs, this.#aborting.signal);
      }
    }
  }

  #schedule(afterMs: number): void {
    if (this.#stopping) return;
    this.#timer = setTimeout(() => {
      this.#round = this.takeOver()
        .then(
          (taken) => (taken === ROUND ? 0 : (this.#options.takeOverIntervalMs ?? 1_000)),
          (error: unknown) => {
            this.#options.onError?.(error);
            return this.#options.takeOverIntervalMs ?? 1_000;
          },
        )
        .then((nextMs) => this.#schedule(nextMs));
    }, afterMs);
  }
}

async function attempt(claim: Claim, handler: CastHandler, args: Uint8Array, signal: AbortSignal): Promise<void> {
  if (claim.claims > MAX_CLAIMS) throw new Error(`begun ${claim.claims} times without an end`);
  await handler.run(claim, handler.decode(args), signal);
}

function keyOf(cast: IncomingCast): WorkerKey {
  return { resourceType: cast.resourceType, resourceId: cast.resourceId };
}

function claimOf(cast: IncomingCast, owner: string, row: Record<string, unknown>): Claim {
  return {
    ...keyOf(cast),
    epoch: Number(row['epoch']),
    owner,
    target: cast.target || null,
    method: cast.method,
    claims: Number(row['claims']),
    resumed: false,
    context: cast.context,
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
