import { deleteSettlement, findSettlement, type Settlement } from '../db/quota-settlements.js';
import { CommitUnknown, type Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import { InDoubt } from '../flow/in-doubt.js';
import { NoAnswer } from '../redis/connection.js';
import type { Deadline } from '../time/deadline.js';
import { orUnavailable } from './or-unavailable.js';
import type { Look, Quota, ReservationRef } from './quota.js';
import type { Rebuild } from './rebuild.js';
import type { Word } from './scripts.js';

/** What settling works with. */
export interface SettlementParts {
  readonly quota: Quota;
  readonly rebuild: Rebuild;
  readonly store: Store;
}

/** A charge or hold whose row was just inserted. */
export interface Undecided extends ReservationRef {
  /** Of the resource, for the caller who has to ask again. */
  readonly resourceId: string;
  /** The incarnation read *before* the row was inserted, e.g. the reservation's: saves reading the row once more. */
  readonly token?: string;
}

/**
 * How a decision ended. `committed` or `held`: go on. `gone`: somebody else has settled the row; look at the record.
 * All others: revert; `disowned`: a rebuild or a recovery was faster.
 */
export type Decision = Word | 'disowned' | 'gone';

/** Where a row stands after `settle`: `undone`: it waits for its record's end; `undecided`: nothing was done. */
export type Settled = 'settled' | 'undone' | 'undecided' | 'gone';

/**
 * Brings rows of `quota_settlements` and Redis together. Every attempt reads the incarnation, then the row, then calls
 * under that incarnation, so that nobody acts on a row that another process has ended. Rule: docs/protocols.md §Q, ROW.
 */
export class Settlements {
  readonly #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** Decides a charge. Safe to repeat. Throws InDoubt when there is no answer by the deadline. */
  async commit(charge: Undecided, deadline: Deadline): Promise<Decision> {
    return inDoubt(charge, () => this.#parts.quota.commit<Decision>(charge, deadline, this.#whileOpen(charge)));
  }

  /** Decides a hold. Safe to repeat. Throws InDoubt when there is no answer by the deadline. */
  async hold(hold: Undecided, deadline: Deadline): Promise<Decision> {
    return inDoubt(hold, () => this.#parts.quota.hold<Decision>(hold, deadline, this.#whileOpen(hold)));
  }

  /**
   * Undoes a reservation after the records say so: its row is void or undo, or was never written. Safe to repeat, any
   * number of times. Throws Fault QuotaUnavailable; recovery then ends it.
   */
  async undo(ref: ReservationRef, deadline: Deadline): Promise<Settled> {
    const settled = await this.settle(ref, deadline);
    if (settled === 'undecided') throw new Error(`reservation ${ref.id} is to be undone, but its row does not say so`);
    if (settled !== 'gone') return settled;
    await orUnavailable(this.#parts.quota.rollback(ref, deadline));
    return 'gone';
  }

  /**
   * Lets Redis follow what the records have decided, then deletes the row: a release, a final hold, an undo. A void row is
   * revoked and stays. Safe to repeat. Throws Fault QuotaUnavailable; recovery then ends it.
   */
  async settle(ref: ReservationRef, deadline: Deadline): Promise<Settled> {
    return orUnavailable(this.#settle(ref, deadline));
  }

  async #settle(ref: ReservationRef, deadline: Deadline): Promise<Settled> {
    const token = await this.#parts.quota.token(ref.projectId, deadline);
    const row = await findSettlement(this.#parts.store, ref.id);
    if (!row) return 'gone';
    if (row.kind !== 'release' && (row.state === 'open' || row.state === 'held')) return 'undecided';
    // amounts that nobody can read are found by counting
    const word = row.isDamaged ? 'unknown' : await this.#follow(row, deadline, this.#unchanged(row, token));
    if (word === 'gone') return 'gone';
    if (row.state === 'void') return 'undone';
    if (word === 'unknown' || word === 'late') await this.#parts.rebuild.run(row.projectId, 'unknown', deadline);
    await this.#parts.store.apply([deleteSettlement(row)]);
    return 'settled';
  }

  async #follow(row: Settlement, deadline: Deadline, look: Look<'gone'>): Promise<Word | 'late' | 'gone'> {
    const { quota } = this.#parts;
    if (row.kind === 'release') return quota.release({ ...row, until: row.until ?? 0 }, deadline, look);
    return row.state === 'final' ? quota.commit(row, deadline, look) : quota.revoke(row, deadline, look);
  }

  /** The insert counts as the first reading of the row if the incarnation was read before it. */
  #whileOpen({ id, token: known }: Undecided): Look<Decision> {
    let fresh = known;
    return async (token) => {
      const justRead = token === fresh;
      fresh = undefined;
      if (justRead) return undefined;
      const row = await findSettlement(this.#parts.store, id);
      if (!row) return 'gone';
      return row.state === 'open' ? undefined : 'disowned';
    };
  }

  #unchanged({ id, state }: Settlement, known: string): Look<'gone'> {
    let fresh: string | undefined = known;
    return async (token) => {
      const justRead = token === fresh;
      fresh = undefined;
      if (justRead) return undefined;
      const row = await findSettlement(this.#parts.store, id);
      return row?.state === state ? undefined : 'gone';
    };
  }
}

async function inDoubt<T>({ resourceId, id }: Undecided, decide: () => Promise<T>): Promise<T> {
  try {
    return await decide();
  } catch (error) {
    const nobodyKnows = error instanceof NoAnswer || error instanceof Fault || error instanceof CommitUnknown;
    if (!nobodyKnows) throw error;
    throw new InDoubt(`reservation ${id} was not decided in time`, resourceId, { cause: error });
  }
}
