import { closeSync, fdatasync, type NoParamCallback, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { CommitUnknown } from './store.js';

/** How a file is made durable; for tests, another way than fdatasync(2). */
export type SyncFile = (descriptor: number, done: NoParamCallback) => void;

/**
 * Makes commits durable. SQLite writes them into its log, whole and in order, and would then wait for the disk inside COMMIT,
 * and the whole process with it; here another thread waits, and commits of one moment share the wait.
 * Rule: docs/adr/0019-the-disk-is-waited-for-on-another-thread.md.
 */
export class SqliteLog {
  readonly #descriptor: number;
  readonly #sync: (descriptor: number) => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isBroken = false;

  /** `path`: of an open database in WAL mode. */
  constructor(path: string, sync: SyncFile = fdatasync) {
    this.#descriptor = openSync(`${path}-wal`, 'r');
    this.#sync = promisify(sync);
  }

  /** Whether a sync has failed: what the kernel could not write it forgets, so that no later one proves anything. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** The end of the wait for all that was committed so far; undefined: it is durable. Rejects with CommitUnknown. */
  get wait(): Promise<void> | undefined {
    return this.#next ?? this.#running;
  }

  /** To be called after each commit. */
  written(): void {
    if (this.#next) return;
    this.#next = this.#afterRunning();
    this.#next.catch(() => undefined); // who waits is told
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** The sync that runs already may have begun before the commit. */
  async #afterRunning(): Promise<void> {
    await this.#running;
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#sync(this.#descriptor);
    } catch (cause) {
      this.#isBroken = true;
      throw new CommitUnknown(cause instanceof Error ? cause.message : String(cause), { cause });
    }
    this.#running = undefined;
  }
}
