/** What a piece of work needs before it may begin. */
export interface Turn {
  /** Its own resource: one piece after the other, in order of arrival. */
  readonly key: string;
  /** A resource that it reads: any number of pieces may, and none that has it for its key. @default none */
  readonly reads?: string;
  /** Where a place must be free. */
  readonly places: Places;
  readonly signal: AbortSignal;
}

/**
 * Orders work by the resources it needs, and lets it through where a place is free. Every piece waits only for pieces that
 * arrived before it, so no two can wait for each other.
 */
export class Lanes {
  /** Key → what a writer and a reader of the resource wait for; never reject. */
  readonly #tails = new Map<string, Tail>();

  /** Runs `work` when it is its turn. Throws the signal's reason if that is aborted before. */
  run<T>({ key, reads, places, signal }: Turn, work: () => Promise<T>): Promise<T> {
    const source = (reads === undefined ? undefined : this.#tails.get(reads)) ?? NOBODY;
    const before = [this.#tails.get(key)?.forWriters ?? DONE, source.forReaders];
    const running = Promise.all(before).then(() => places.lend(signal, work));
    const end = running.then(ignore, ignore);
    this.#queue(key, { forWriters: end, forReaders: end });
    if (reads !== undefined) this.#queue(reads, { ...source, forWriters: Promise.all([source.forWriters, end]) });
    return running;
  }

  /** Ends when there is no work, and none waits for its turn. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all([...this.#tails.values()].map(({ forWriters }) => forWriters));
  }

  /** Whether there is work on a resource, or some waits for its turn. */
  has(resource: string): boolean {
    return this.#tails.has(resource);
  }

  /** Remembered until everything that arrived has ended, unless more arrives. */
  #queue(resource: string, tail: Tail): void {
    this.#tails.set(resource, tail);
    void tail.forWriters.then(() => {
      if (this.#tails.get(resource) === tail) this.#tails.delete(resource);
    });
  }
}

function ignore(): void {
  // how it ended is for the one who ran it
}

interface Tail {
  /** The end of everything that arrived. */
  readonly forWriters: Promise<unknown>;
  /** The end of the last writer. */
  readonly forReaders: Promise<unknown>;
}

const DONE = Promise.resolve();
const NOBODY: Tail = { forWriters: DONE, forReaders: DONE };

/** Places for work: at most so much at once. */
export class Places {
  #free: number;
  /** No longer than what the casts' engine lets in (`cast_max_in_flight`). */
  #waiting: Waiting[] = [];
  #closed: Error | undefined;

  /** `count`: pieces at once, at least 1. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Lends no more: who waits, and who comes, is refused with `reason`. What runs goes on. */
  close(reason: Error): void {
    this.#closed ??= reason;
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(this.#closed);
  }

  /** Runs `work` when a place is free. Throws the signal's reason if that is aborted before, or why it was closed. */
  async lend<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed) throw this.#closed;
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        enter: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
        refuse: (reason) => {
          signal.removeEventListener('abort', giveUp);
          reject(reason);
        },
      };
      this.#waiting.push(waiting);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes to the next in line, or becomes free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next.enter();
    else this.#free += 1;
  }
}

interface Waiting {
  readonly enter: () => void;
  readonly refuse: (reason: Error) => void;
}
