import {
  deleteOpenCharge,
  findSettlement,
  markHeld,
  markUndo,
  type Settlement,
  takeRecoverable,
} from '../db/quota-settlements.js';
import { RowCountMismatch, type Step, type Store } from '../db/store.js';
import type { Log } from '../log/log.js';
import { type Deadline, deadlineIn, isOver, pause } from '../time/deadline.js';
import type { Rebuild } from './rebuild.js';
import type { Settlements } from './settlements.js';

/** What recovery has to be told of the resources that are charged; steps are done with the row's own, or not at all. */
export interface ChargedResources {
  /** The charge is decided: its staged work becomes ready. */
  forward(row: Settlement): readonly Step[];
  /** The charge is undone: the record, its work and its idempotency row go; of a hold: the former status comes back. */
  destroy(row: Settlement): readonly Step[];
}

/** What recovery works with. */
export interface RecoveryParts {
  readonly store: Store;
  readonly settlements: Settlements;
  readonly rebuild: Rebuild;
  readonly resources: ChargedResources;
  /** This process's incarnation. */
  readonly owner: string;
  /** The longest a flow may take, ms. Rows twice as old are left behind. */
  readonly flowDeadlineMs: number;
  /** `service_down_time`, ms: rows of flows whose process is dead are not waited for. @default 60000 */
  readonly downAfterMs?: number;
  /** Pause between rounds, ms. @default half of `downAfterMs`, at most 5000 */
  readonly periodMs?: number;
  /**
   * For how long a row taken is left to us, ms: if we die, or never hear that we have it, others wait so long. Two may be at
   * work on a row; one of them finds it changed. @default half of `downAfterMs`, 2000 to 30000
   */
  readonly leaseMs?: number;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Told of each row and whether it was brought to its end; never throws. @default nobody */
  readonly onRow?: (row: Settlement, outcome: 'recovered' | 'later') => void;
}

/** Rows taken at once. */
const ROUND = 100;
/** The time that a row has in any case, ms. */
const LEAST_SHARE_MS = 500;
/** Once decided, once more after the rebuild that an unknown reservation needs. */
const DECISIONS = 2;

/** Ends what crashed flows have left between the records and Redis. Rule: docs/protocols.md §Q, RECOVERY. */
export class Recovery {
  readonly #parts: Required<RecoveryParts>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: RecoveryParts) {
    const { downAfterMs = 60_000 } = parts;
    const [periodMs, leaseMs] = [Math.min(downAfterMs / 2, 5_000), clamp(downAfterMs / 2, 2_000, 30_000)];
    this.#parts = { downAfterMs, periodMs, leaseMs, onRow: () => undefined, ...parts };
  }

  /** Sweeps now and every period until `stop`. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the row at hand. Safe to repeat. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One round. Returns how many rows were taken, 0 if there was no time for all of them; never throws. */
  async sweep(): Promise<number> {
    const { store, owner, flowDeadlineMs, downAfterMs, leaseMs, log } = this.#parts;
    const deadline = deadlineIn(leaseMs / 2, this.#stopping.signal);
    try {
      const query = { owner, minAgeMs: 2 * flowDeadlineMs, downAfterMs, leaseMs, limit: ROUND };
      const rows = await takeRecoverable(store, query);
      for (const row of rows) {
        if (isOver(deadline)) return 0;
        const shareMs = Math.max(leaseMs / 10, LEAST_SHARE_MS);
        await this.#recovered(row, { ...deadline, at: Math.min(deadline.at, performance.now() + shareMs) });
      }
      return rows.length;
    } catch (error) {
      log.warn('quota recovery waits', { reason: reasonOf(error) });
      return 0;
    }
  }

  async #run(): Promise<void> {
    const forever: Deadline = { at: Infinity, signal: this.#stopping.signal };
    while (!this.#stopping.signal.aborted) {
      const taken = await this.sweep();
      if (taken < ROUND) await pause(this.#parts.periodMs, forever);
    }
  }

  /** One row must not keep the others: it has a share of the time, and what fails is logged and comes back. */
  async #recovered(row: Settlement, deadline: Deadline): Promise<void> {
    const { log, onRow } = this.#parts;
    const fields = { projectId: row.projectId, resourceType: row.resourceType, resourceId: row.resourceId };
    if (row.isDamaged)
      log.warn('the amounts of a quota settlement cannot be read: its project is counted anew', fields);
    try {
      await this.#recover(row, deadline);
      log.info('quota settlement recovered', { ...fields, kind: row.kind, state: row.state });
      onRow(row, 'recovered');
    } catch (error) {
      if (error instanceof RowCountMismatch && error.step === 0) return; // somebody else was faster
      log.warn('quota settlement not recovered yet', { ...fields, reason: reasonOf(error) });
      onRow(row, 'later');
    }
  }

  async #recover(row: Settlement, deadline: Deadline): Promise<void> {
    const { settlements } = this.#parts;
    if (row.kind === 'release' || row.state === 'undo' || row.state === 'final') {
      await settlements.settle(row, deadline);
      return;
    }
    if (row.state === 'void') return this.#destroy(row, deadline);
    return this.#decide(row, deadline);
  }

  async #decide(row: Settlement, deadline: Deadline): Promise<void> {
    const { settlements, rebuild, store } = this.#parts;
    for (let turn = 1; turn <= DECISIONS; turn += 1) {
      const decision = await (row.kind === 'charge'
        ? settlements.commit(row, deadline)
        : settlements.hold(row, deadline));
      if (decision === 'gone') return;
      if (decision === (row.kind === 'charge' ? 'committed' : 'held')) return this.#forward(row);
      if (decision !== 'unknown') return this.#destroy(row, deadline);
      await rebuild.run(row.projectId, 'unknown', deadline);
      if ((await findSettlement(store, row.id))?.state !== 'open') return this.#destroy(row, deadline);
    }
  }

  async #forward(row: Settlement): Promise<void> {
    const { store, resources } = this.#parts;
    const own = row.kind === 'charge' ? deleteOpenCharge(row.id) : markHeld(row.id);
    await store.apply([own, ...resources.forward(row)]);
  }

  /** Records first: space that a record still uses must not be sold. */
  async #destroy(row: Settlement, deadline: Deadline): Promise<void> {
    const { store, resources, settlements } = this.#parts;
    await store.apply([markUndo(row.id), ...resources.destroy(row)]);
    await settlements.settle(row, deadline);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
