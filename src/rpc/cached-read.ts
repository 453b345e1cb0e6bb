import { Fault } from '../errors/fault.js';

export interface CachedReadOptions {
  /** What is read, for errors, e.g. `services`. */
  readonly what: string;
  /** Age from which it is read again, ms. */
  readonly maxAgeMs: number;
  /** How long a read may take before the last value is used in its place, ms. @default 2000 */
  readonly timeoutMs?: number;
  /** Monotonic ms. @default performance.now */
  readonly clock?: () => number;
  /** Told of reads that failed while an older value was at hand. @default nobody */
  readonly onStale?: (error: unknown) => void;
}

/**
 * A value that is read when it is asked for and too old, by one reader at a time. When a read fails the last value is used;
 * without one the error is thrown.
 */
export class CachedRead<T> {
  readonly #read: () => Promise<T>;
  readonly #options: Required<CachedReadOptions>;
  /** Counts the drops: what was read before the last one is not used any more. */
  #generation = 0;
  #value: { readonly promise: Promise<T>; readonly readAt: number; readonly generation: number } | undefined;
  #reading: { readonly promise: Promise<T>; readonly generation: number } | undefined;

  constructor(read: () => Promise<T>, options: CachedReadOptions) {
    this.#read = read;
    this.#options = { timeoutMs: 2_000, clock: () => performance.now(), onStale: () => undefined, ...options };
  }

  /** The value, at most `maxAgeMs` old and not older than the last `drop`. */
  get(): Promise<T> {
    const value = this.#value;
    if (value?.generation === this.#generation && this.#options.clock() - value.readAt < this.#options.maxAgeMs) {
      return value.promise;
    }
    if (this.#reading?.generation !== this.#generation) {
      this.#reading = { promise: this.#refresh(this.#generation), generation: this.#generation };
    }
    return this.#reading.promise;
  }

  /** The next `get` reads anew. */
  drop(): void {
    this.#generation += 1;
  }

  async #refresh(generation: number): Promise<T> {
    const readAt = this.#options.clock();
    try {
      const value = await withTimeout(this.#read(), this.#options);
      if (generation === this.#generation) this.#value = { promise: Promise.resolve(value), readAt, generation };
      return value;
    } catch (error) {
      if (!this.#value) throw error;
      this.#options.onStale(error);
      return await this.#value.promise;
    } finally {
      if (this.#reading?.generation === generation) this.#reading = undefined;
    }
  }
}

async function withTimeout<T>(
  read: Promise<T>,
  { what, timeoutMs }: CachedReadOptions & { timeoutMs: number },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Fault('DeadlineExceeded', { what: `Reading ${what}` })), timeoutMs);
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}
