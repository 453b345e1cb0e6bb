import { Fault } from '../errors/fault.js';

/** What a tail hands to one reader, in order and bounded: a reader that lets it run full gets a Fault, not memory. */
export class ChangeQueue<T> {
  readonly #limit: number;
  #items: T[] = [];
  #ended: { readonly error: Error | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Appends; when it is full, it is emptied and ends with the Fault `WatchTooSlow` that is returned. */
  push(item: T): Fault | undefined {
    if (this.#ended) return undefined;
    if (this.#items.length >= this.#limit) {
      const tooSlow = new Fault('WatchTooSlow', { buffered: this.#items.length });
      this.#items = [];
      this.end(tooSlow);
      return tooSlow;
    }
    this.#items.push(item);
    this.#wake?.();
    return undefined;
  }

  /** Nothing more comes after what is there; with an error, the reader gets it then. */
  end(error?: Error): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  /** All that is there, as soon as there is something; undefined at the end. Throws what the queue was ended with. */
  async take(): Promise<readonly T[] | undefined> {
    while (this.#items.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    if (this.#items.length > 0) {
      const items = this.#items;
      this.#items = [];
      return items;
    }
    if (this.#ended?.error) throw this.#ended.error;
    return undefined;
  }
}
