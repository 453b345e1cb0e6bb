import { countWorker } from '../db/worker-claims.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { applyFenced, type Claim, Fenced, finish } from './claim.js';
import { type CastHandler, NotBegun } from './handler.js';
import { LATE_AFTER_MS, type LateWork } from './late-work.js';
import { NeverEnds } from './reason-for-owner.js';

/** How often work may be begun before it is given up. */
export const MAX_CLAIMS = 5;

/** How a piece of work ended: `fenced`: it is another's now; `stuck`: it will be tried again. */
export type WorkEnd = 'done' | 'fenced' | 'failed' | 'stuck';

/** How an attempt ended, and whether its row is to be given back. */
export interface AttemptEnd {
  /** `unbegun`: nothing was done, because this process stops or its time has not come. */
  readonly ended: WorkEnd | 'unbegun';
  readonly error?: unknown;
  readonly giveBack?: true;
  /** The claim as it counted; undefined: it has not. */
  readonly begun?: Claim;
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
    if (!isLate(claim)) return this.#begun(claim, args, signal);
    return this.#parts.late.run(signal, async () => {
      if (this.#parts.isStopping()) return UNBEGUN;
      const counted = await this.#counted(claim);
      return 'claim' in counted ? this.#begun(counted.claim, args, signal) : counted;
    });
  }

  /** What waited in line counts now: the process may die of it, and not of what waits behind it. */
  async #counted(claim: Claim): Promise<{ readonly claim: Claim } | AttemptEnd> {
    try {
      const [done] = await this.#parts.store.apply([countWorker(claim)], 'written');
      return { claim: { ...claim, claims: Number(done?.returned[0]?.['claims']) } };
    } catch (error) {
      if (error instanceof RowCountMismatch) return { ended: 'fenced', error: new Fenced(claim) };
      return { ended: 'stuck', error, giveBack: true };
    }
  }

  async #begun(begun: Claim, args: Uint8Array, signal: AbortSignal): Promise<AttemptEnd> {
    const handler = this.#parts.handlers.get(begun.method);
    if (!handler || this.#parts.isStopping()) return { ...UNBEGUN, begun };
    try {
      if (begun.claims > MAX_CLAIMS) throw new NeverEnds(begun.claims - 1);
      await handler.run(begun, handler.decode(args), signal);
      return { ended: 'done', begun };
    } catch (error) {
      if (error instanceof Fenced || signal.reason instanceof Fenced) return { ended: 'fenced', error, begun };
      if (error instanceof NotBegun) return { ...UNBEGUN, begun };
      if (this.#parts.isAborted()) return { ended: 'stuck', error, begun };
      return { ...(await this.#fail(begun, handler, error)), begun };
    }
  }

  async #fail(claim: Claim, handler: CastHandler, error: unknown): Promise<AttemptEnd> {
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

const UNBEGUN: AttemptEnd = { ended: 'unbegun', giveBack: true };

/** Whether others may be waiting for what they asked for long after this was. */
export function isLate({ resumed, ageMs }: Claim): boolean {
  return resumed || ageMs > LATE_AFTER_MS;
}
