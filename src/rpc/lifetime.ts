import { setMaxListeners } from 'node:events';

/** A call that can be ended before it is ready. */
export interface Cuttable {
  cut(): void;
}

/** The life of a server as its calls see it: first it is asked to stop, later what is still open is cut. */
export class Lifetime {
  readonly #stopping = new AbortController();
  readonly #open = new Set<Cuttable>();
  readonly #whenAnswered: (() => void)[] = [];

  constructor() {
    // every open stream listens; node would warn at the eleventh
    setMaxListeners(0, this.#stopping.signal);
  }

  /** Aborted when the server begins to stop: for streams, which end by no other means. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  enter(call: Cuttable): void {
    this.#open.add(call);
  }

  leave(call: Cuttable): void {
    this.#open.delete(call);
    if (this.#open.size === 0) for (const resolve of this.#whenAnswered.splice(0)) resolve();
  }

  /** Resolves once no call is open: each has its answer, which its caller may still be reading, or has lost its caller. */
  async answered(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#whenAnswered.push(resolve));
  }

  stop(): void {
    this.#stopping.abort();
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Answers all open calls, or ends them with the answer, that they must be tried elsewhere. */
  cut(): void {
    for (const call of [...this.#open]) call.cut();
  }
}
