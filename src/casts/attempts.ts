import { isStoreOutage } from '../db/outage.js';
import { countWorker } from '../db/worker-claims.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { applyFenced, type Claim, Fenced, finish } from './claim.js';
import { type CastHandler, type GivenBack, NotBegun } from './handler.js';
import { LATE_AFTER_MS, type LateWork } from './late-work.js';
import { NeverEnds } from './reason-for-owner.js';

/** How often work may be begun before it is given up. */
export const MAX_CLAIMS = 5;

/** How a piece of work ended: `fenced`: it is another's now; `stuck`: it will be tried again. */
export type WorkEnd = 'done' | GivenBack | 'fenced' | 'failed' | 'stuck';

interface Ending {
  /** `unbegun`: nothing was done, because this process stops. */
  readonly ended: WorkEnd | 'unbegun';
  readonly error?: unknown;
  /** The row is to be given back. */
  readonly giveBack?: true;
}

/** How an attempt ended. */
export interface AttemptEnd extends Ending {
  /** As it was counted last. */
  readonly claim: Claim;
  /** Whether this attempt counts among the claims of its row. */
  readonly isCounted: boolean;
}

interface Attempt {
  claim: Claim;
  isCounted: boolean;
}

export interface AttemptsParts {
  readonly store: Store;
  readonly handlers: ReadonlyMap<string, CastHandler>;
  readonly late: LateWork;
  /** Nothing more is begun. */
  readonly isStopping: () => boolean;
  /** What was under way was cut off; the next owner goes on with it. */
  readonly isAborted: () => boolean;
}

/** Brings claimed work to one of its ends. Rule: docs/protocols.md §W LATE, FENCE, FAIL. */
export class Attempts {
  readonly #parts: AttemptsParts;

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
  }

  /** One attempt, when it is its turn. Never rejects. */
  async run(claim: Claim, args: Uint8Array, signal: AbortSignal): Promise<AttemptEnd> {
    const attempt: Attempt = { claim, isCounted: !isLate(claim) };
    const end = (): Promise<Ending> => this.#end(attempt, args, signal);
    const ending = await (isLate(claim) ? this.#parts.late.run(signal, end) : end());
    return { claim: attempt.claim, isCounted: attempt.isCounted, ...ending };
  }

  async #end(attempt: Attempt, args: Uint8Array, signal: AbortSignal): Promise<Ending> {
    const handler = this.#parts.handlers.get(attempt.claim.method);
    if (!handler || this.#parts.isStopping()) return UNBEGUN;
    try {
      return { ended: await this.#attempt(attempt, handler, args, signal) };
    } catch (error) {
      if (error instanceof Fenced || signal.reason instanceof Fenced) return { ended: 'fenced', error };
      if (error instanceof NotBegun) return UNBEGUN;
      if (this.#parts.isAborted()) return { ended: 'stuck', error };
      // that the records are away is no failure of the work
      if (isStoreOutage(error)) return { ended: 'stuck', error, giveBack: true };
      return this.#fail(attempt.claim, handler, error);
    }
  }

  async #attempt(
    attempt: Attempt,
    handler: CastHandler,
    args: Uint8Array,
    signal: AbortSignal,
  ): Promise<'done' | GivenBack> {
    const begin = async (): Promise<void> => {
      if (!attempt.isCounted) attempt.claim = await this.#counted(attempt.claim);
      attempt.isCounted = true;
      if (attempt.claim.claims > MAX_CLAIMS) throw new NeverEnds(attempt.claim.claims - 1);
    };
    if (!handler.waits) await begin();
    return (await handler.run(attempt.claim, handler.decode(args), signal, begin)) ?? 'done';
  }

  /** What waited in line counts now: the process may die of it, and not of what waits behind it. */
  async #counted(claim: Claim): Promise<Claim> {
    try {
      const [done] = await this.#parts.store.apply([countWorker(claim)], 'written');
      return { ...claim, claims: Number(done?.returned[0]?.['claims']) };
    } catch (error) {
      throw error instanceof RowCountMismatch ? new Fenced(claim) : error;
    }
  }

  async #fail(claim: Claim, handler: CastHandler, error: unknown): Promise<Ending> {
    try {
      await applyFenced(this.#parts.store, claim, [...handler.fail(claim, error), finish(claim)]);
      return { ended: 'failed', error };
    } catch (failure) {
      if (failure instanceof Fenced) return { ended: 'fenced', error: failure };
      // The row stays claimed by a living owner, whom nobody takes over: give it back to be tried again.
      return { ended: 'stuck', error: failure, giveBack: true };
    }
  }
}

const UNBEGUN: Ending = { ended: 'unbegun', giveBack: true };

/** Whether others may be waiting for what they asked for long after this was. */
export function isLate({ resumed, ageMs }: Claim): boolean {
  return resumed || ageMs > LATE_AFTER_MS;
}
