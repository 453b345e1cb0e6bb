import type { Pools } from './pools.js';

export interface ReadinessOptions {
  readonly pools: Pools;
  /** `scheduler_driver_init_wait_time`: the longest wait for first reports, ms. */
  readonly initWaitMs: number;
  /** How long the rest is waited for once one backend has reported, ms. @default 3000 */
  readonly graceMs?: number;
}

/**
 * Holds requests back while a scheduler that just started has not heard of every living backend. Cinder polls once a
 * second for up to a minute, even for a backend that died just before; here a report wakes the requests, and once one
 * backend is known the others are waited for only briefly. Rule: cinder/scheduler/manager.py, `_wait_for_scheduler`.
 */
export class Readiness {
  readonly #pools: Pools;
  readonly #graceMs: number;
  readonly #deadline: number;
  #graceEnds = Infinity;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ReadinessOptions) {
    this.#pools = options.pools;
    this.#graceMs = options.graceMs ?? 3_000;
    this.#deadline = performance.now() + options.initWaitMs;
  }

  /** To be called after each report and each change of the list of services. */
  changed(): void {
    if (this.#pools.list().length > 0) this.#graceEnds = Math.min(this.#graceEnds, performance.now() + this.#graceMs);
    if (this.#isReady()) this.#wake();
    else if (this.#waiting.size > 0) this.#setTimer();
  }

  /** Returns when the scheduler may decide: true; or when it stops and may not: false. Throws the signal's reason. */
  async wait(signal: AbortSignal): Promise<boolean> {
    while (!this.#stopped && !this.#isReady()) {
      signal.throwIfAborted();
      await this.#woken(signal);
    }
    return !this.#stopped;
  }

  /** Ends all waiting: a scheduler that stops decides nothing more with what little it knows. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #woken(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
      this.#setTimer();
    });
  }

  #isReady(): boolean {
    if (performance.now() >= Math.min(this.#deadline, this.#graceEnds)) return true;
    this.#pools.list();
    return this.#pools.hasAllCapabilities;
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const inMs = Math.min(this.#deadline, this.#graceEnds) - performance.now();
    this.#timer = setTimeout(() => this.#wake(), Math.max(inMs, 0));
  }

  #wake(): void {
    clearTimeout(this.#timer);
    for (const wake of [...this.#waiting]) wake();
  }
}
