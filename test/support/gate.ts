import { EventEmitter, once } from 'node:events';

/** Where work waits until it is let through. */
export class Gate {
  /** Most that were inside at once. */
  most = 0;
  #inside = 0;
  #open = false;
  readonly #changed = new EventEmitter();

  async enter(): Promise<void> {
    this.#inside += 1;
    this.most = Math.max(this.most, this.#inside);
    this.#changed.emit('change');
    while (!this.#open) await once(this.#changed, 'change');
    this.#inside -= 1;
  }

  /** Ends when so many wait inside. */
  async inside(count: number): Promise<void> {
    while (this.#inside < count) await once(this.#changed, 'change', { signal: AbortSignal.timeout(10_000) });
  }

  open(): void {
    this.#open = true;
    this.#changed.emit('change');
  }
}
