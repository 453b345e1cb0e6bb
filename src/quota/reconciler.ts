import { putBackUnchecked, takeUnchecked } from '../db/quota-projects.js';
import type { Store } from '../db/store.js';
import type { Log } from '../log/log.js';
import { type Deadline, deadlineIn, isOver, pause } from '../time/deadline.js';
import type { QuotaCheck } from './check.js';

/** What the reconciler works with. */
export interface ReconcilerParts {
  readonly store: Store;
  readonly check: Pick<QuotaCheck, 'run'>;
  /** How often each project is compared, ms. */
  readonly intervalMs: number;
  /** Pause between rounds, ms, a fifth more or less. @default 10000 */
  readonly periodMs?: number;
  /** How long one project may take, ms. @default 10000 */
  readonly patienceMs?: number;
  readonly log: Pick<Log, 'warn'>;
}

/** Projects of a round and process at most: with the usual period ten a second. */
const MOST_A_ROUND = 100;
/** Projects taken at once. */
const TAKEN_AT_ONCE = 10;
/** Failures in a row after which nobody can be expected to answer. */
const MOST_FAILURES = 3;

/**
 * Compares one project after the other with its records and mends what is wrong. Processes share the work: each takes the
 * projects that nobody has looked at for an interval, the longest first. Rule: docs/protocols.md §Q, RECONCILE.
 */
export class Reconciler {
  readonly #parts: Required<ReconcilerParts>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = { periodMs: 10_000, patienceMs: 10_000, ...parts };
  }

  /** Goes round after every pause, until `stop`. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the project at hand. Safe to repeat. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One round. Returns how many projects were compared; never throws. */
  async round(): Promise<number> {
    const { store, intervalMs, log } = this.#parts;
    let count = 0;
    try {
      while (count < MOST_A_ROUND) {
        const projects = await takeUnchecked(store, { minAgeMs: intervalMs, limit: TAKEN_AT_ONCE });
        const compared = await this.#compareAll(projects);
        count += compared;
        if (compared < projects.length) await store.apply([putBackUnchecked(projects.slice(compared))]);
        if (compared < TAKEN_AT_ONCE) break;
      }
    } catch (error) {
      log.warn('quota is not compared with the records at the moment', { error });
    }
    return count;
  }

  async #run(): Promise<void> {
    const forever: Deadline = { at: Infinity, signal: this.#stopping.signal };
    while (!isOver(forever)) {
      // several processes that were started together do not stay together
      await pause(this.#parts.periodMs * (0.8 + Math.random() * 0.4), forever);
      if (!isOver(forever)) await this.round();
    }
  }

  /** Returns how many were tried: fewer than there are when nobody answers, or it is told to stop. */
  async #compareAll(projects: readonly string[]): Promise<number> {
    let failures = 0;
    for (const [index, projectId] of projects.entries()) {
      if (this.#stopping.signal.aborted || failures === MOST_FAILURES) return index;
      failures = (await this.#compare(projectId)) ? 0 : failures + 1;
    }
    return projects.length;
  }

  /** What is wrong with one project must not keep the others: it waits for another interval. */
  async #compare(projectId: string): Promise<boolean> {
    const { check, patienceMs, log } = this.#parts;
    try {
      await check.run(projectId, { by: 'reconciler', mend: true }, deadlineIn(patienceMs, this.#stopping.signal));
      return true;
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        log.warn("a project's quota could not be compared with the records", { projectId, error });
      }
      return false;
    }
  }
}
