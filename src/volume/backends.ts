import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import type { Log } from '../log/log.js';
import { deadlineIn, within } from '../time/deadline.js';
import { type Rounds, rounds } from '../time/rounds.js';
import type { Backend } from './backend.js';
import type { Findings } from './inspection.js';

/** How many findings of a kind are named in the log; their number is always there. */
const NAMED = 10;

/** Longest wait for the first attempts to start, ms: one file system that hangs must not keep the rest of the process down. */
const START_PATIENCE_MS = 30_000;

/** Longest wait for the answer to a look, and for a backend to stop, ms: longer than storage takes that is only busy. */
const ANSWER_PATIENCE_MS = 5_000;

export interface BackendsOptions {
  readonly backends: readonly Backend[];
  readonly store: Store;
  readonly log: Log;
  /** Told each backend that has come up. */
  readonly onUp: (backend: Backend) => void;
  /** Told each backend that was up and cannot be used any more. @default nobody */
  readonly onDown?: (backend: Backend) => void;
  /** How often is looked whether those that are up can still be used, ms. @default 1 s */
  readonly checkEveryMs?: number;
  /** How long the answer to a look is waited for, and a backend that is to stop, ms. @default 5 s */
  readonly answerPatienceMs?: number;
  /** How long the first attempts to start are waited for, ms. @default 30 s */
  readonly startPatienceMs?: number;
  /** First pause after a failed start, ms; it doubles up to `longestPauseMs`. @default 1 s */
  readonly firstPauseMs?: number;
  /** @default 60 s */
  readonly longestPauseMs?: number;
}

/**
 * The backends of this process. One whose driver does not start, or that cannot be used any more, is tried again, and looks
 * down meanwhile; the others serve. Rule: cinder/volume/manager.py, `init_host` (which gives up after three times).
 */
export class Backends {
  readonly #options: BackendsOptions;
  readonly #byName: ReadonlyMap<string, Backend>;
  readonly #findings = new Map<string, Findings>();
  readonly #stopping = new AbortController();
  #starting: Promise<unknown> = Promise.resolve();
  /** One a backend: a file system that hangs is asked once, and keeps no other from being looked at. */
  #checks: readonly Rounds[] = [];

  constructor(options: BackendsOptions) {
    this.#options = options;
    this.#byName = new Map(options.backends.map((backend) => [backend.name, backend]));
  }

  get all(): readonly Backend[] {
    return this.#options.backends;
  }

  /** By `host@backend`. */
  find(name: string): Backend | undefined {
    return this.#byName.get(name);
  }

  /** How storage and records of a backend differed when it started. */
  findings(name: string): Findings | undefined {
    return this.#findings.get(name);
  }

  /**
   * Tries each backend once, and waits for that no longer than `startPatienceMs`; goes on in the background with those that
   * failed, or whose storage has not answered.
   */
  async start(): Promise<void> {
    const { log, startPatienceMs = START_PATIENCE_MS } = this.#options;
    const late = new Set(this.all);
    const first = this.all.map(async (backend) => {
      const isUp = await this.#tryOnce(backend);
      late.delete(backend);
      return { backend, isUp };
    });
    this.#starting = Promise.all(
      first.map(async (attempt) => {
        const { backend, isUp } = await attempt;
        if (!isUp) await this.#tryAgain(backend);
      }),
    );
    const enough = new AbortController();
    await Promise.race([
      Promise.all(first),
      pause(startPatienceMs, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
    enough.abort();
    for (const { name } of late)
      log.warn('a backend takes long to start: the others do not wait for it', { backend: name });
    if (this.#stopping.signal.aborted) return;
    this.#checks = this.all.map((backend) => this.#checksOf(backend));
    for (const checks of this.#checks) checks.start();
  }

  /** To be called when no work is under way. What does not answer is left to the end of the process. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#checks.map((checks) => checks.stop()));
    await within(this.#starting, deadlineIn(this.#patienceMs));
    await within(Promise.all(this.all.map((backend) => backend.stop())), deadlineIn(this.#patienceMs));
  }

  get #patienceMs(): number {
    return this.#options.answerPatienceMs ?? ANSWER_PATIENCE_MS;
  }

  #checksOf(backend: Backend): Rounds {
    const { log, checkEveryMs = 1_000 } = this.#options;
    return rounds({
      intervalMs: checkEveryMs,
      round: () => this.#check(backend),
      onError: (error) => log.error('a backend could not be looked at', { backend: backend.name, error }),
    });
  }

  async #check(backend: Backend): Promise<void> {
    if (!backend.isUp) return;
    const look = backend.check();
    try {
      await this.#inTime(look);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const { log, onDown } = this.#options;
      log.error('a backend cannot be used: it looks down until it can', { backend: backend.name, error });
      const fallen = backend.fall();
      onDown?.(backend);
      const answered = look.catch(() => undefined); // before that it would only hang again
      const startedAnew = Promise.all([fallen, answered]).then(() => this.#tryAgain(backend));
      this.#starting = Promise.all([this.#starting, startedAnew]);
    }
  }

  /** Throws what is wrong, or that there was no answer. */
  async #inTime(look: Promise<void>): Promise<void> {
    const answered = look.then(() => true);
    // twice half as long: a process that was itself stopped for longer looks for the answer before it says that there is none
    for (let half = 0; half < 2; half += 1) {
      if (await within(answered, deadlineIn(this.#patienceMs / 2, this.#stopping.signal))) return;
    }
    throw new Fault('VolumeBackendAPIException', { reason: `its storage has not answered for ${this.#patienceMs} ms` });
  }

  async #tryAgain(backend: Backend): Promise<void> {
    const longestMs = this.#options.longestPauseMs ?? 60_000;
    let pauseMs = this.#options.firstPauseMs ?? 1_000;
    do {
      const stopped = await pause(pauseMs, false, { signal: this.#stopping.signal }).catch(() => true);
      if (stopped) return;
      pauseMs = Math.min(pauseMs * 2, longestMs);
    } while (!(await this.#tryOnce(backend)));
  }

  async #tryOnce(backend: Backend): Promise<boolean> {
    const { store, log, onUp } = this.#options;
    try {
      const findings = await backend.start(store, this.#stopping.signal);
      this.#findings.set(backend.name, findings);
      report(log, backend.name, findings);
      onUp(backend);
      return true;
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.error('a backend does not start', { backend: backend.name, error });
      return false;
    }
  }
}

/** An operator decides about these; nothing was changed. */
function report(log: Log, backend: string, { abandoned, strays, missing }: Findings): void {
  log.info('a backend has started', { backend, removedHalfMade: abandoned.length });
  if (strays.length > 0) {
    const named = strays.slice(0, NAMED).map(({ volume, why }) => `${volume.pool}/${volume.id}: ${why}`);
    log.warn('volumes on the storage do not agree with the records', { backend, count: strays.length, named });
  }
  if (missing.length > 0) {
    const named = missing.slice(0, NAMED).map(({ id, pool, status }) => `${pool}/${id}: ${status}`);
    log.error('volumes of the records are not on the storage', { backend, count: missing.length, named });
  }
}
