/** Lets work through: at most so much at once, and for one key one piece after the other, in order of arrival. */
export class Lanes {
  #free: number;
  /** Waiting for a place. No longer than what the casts' engine lets in (`cast_max_in_flight`). */
  #waiting: Waiting[] = [];
  readonly #heard = new WeakSet<AbortSignal>();
  /** Key → the end of its last piece; never rejects. */
  readonly #tails = new Map<string, Promise<unknown>>();

  /** `concurrency`: pieces at once, at least 1. */
  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  /** Runs `work` when it is its turn. Throws the signal's reason if that is aborted before. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const running = this.#after(this.#tails.get(key), signal, work);
    const tail = running.catch(() => undefined);
    this.#tails.set(key, tail);
    try {
      return await running;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  async #after<T>(before: Promise<unknown> | undefined, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await before;
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((enter, giveUp) => {
      this.#waiting.push({ signal, enter, giveUp });
      this.#hear(signal);
    });
  }

  /** One listener for each signal, however much waits under it: all casts of a process share one. */
  #hear(signal: AbortSignal): void {
    if (this.#heard.has(signal)) return;
    this.#heard.add(signal);
    const giveUp = (): void => {
      const waiting = this.#waiting;
      this.#waiting = waiting.filter((one) => one.signal !== signal);
      for (const one of waiting) if (one.signal === signal) one.giveUp(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
  }

  /** The place goes to the next in line, or becomes free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next.enter();
    else this.#free += 1;
  }
}

interface Waiting {
  readonly signal: AbortSignal;
  readonly enter: () => void;
  readonly giveUp: (reason: unknown) => void;
}
