/** Age at which work is late, ms: what somebody asks for now is begun long before. */
export const LATE_AFTER_MS = 10_000;

/** Late pieces of work that are begun at once. Whoever asks for something now finds the process nearly free. */
const AT_ONCE = 4;

/** The same while others ask for something. At least 1: the end of a piece begins the next. */
const BESIDE_OTHERS = 1;

/** Late pieces in hand, just begun or waiting for their turn. The rest stays in its rows. */
const IN_HAND = 64;

/**
 * Keeps work that was left behind, perhaps tens of thousands of pieces after a crash, from standing in the way of new requests:
 * it is begun a few pieces at a time, and few are in hand.
 */
export class LateWork {
  #inHand = 0;
  #running = 0;
  #isOpen = false;
  readonly #waiting: (() => void)[] = [];
  readonly #holdMs: number;
  readonly #isAsked: () => boolean;

  /**
   * `holdMs`: how long a piece counts once it is begun; a copy of hours does not keep others waiting. `isAsked`: whether there is
   * other work. @default never
   */
  constructor({ holdMs, isAsked = () => false }: { readonly holdMs: number; readonly isAsked?: () => boolean }) {
    this.#holdMs = holdMs;
    this.#isAsked = isAsked;
  }

  /** How many more pieces may be taken in hand. */
  get room(): number {
    return Math.max(0, IN_HAND - this.#inHand);
  }

  /** Takes a piece in hand: `run` must follow. */
  take(): void {
    this.#inHand += 1;
  }

  /** Runs `work` when it is its turn, and at once when `signal` is aborted: then it ends by itself. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(signal);
    let counts = true;
    const leave = (): void => {
      if (!counts) return;
      counts = false;
      this.#inHand -= 1;
      this.#running -= 1;
      for (let free = this.#free; free > 0; free -= 1) this.#waiting.shift()?.();
    };
    const timer = setTimeout(leave, this.#holdMs);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      leave();
    }
  }

  /** Nobody waits any more: all that comes is to be given back. */
  open(): void {
    this.#isOpen = true;
    for (const enter of this.#waiting.splice(0)) enter();
  }

  /** How many more pieces may be begun now. */
  get #free(): number {
    return (this.#isAsked() ? BESIDE_OTHERS : AT_ONCE) - this.#running;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#isOpen || signal.aborted || this.#free > 0) {
      this.#running += 1;
      return;
    }
    await new Promise<void>((resolve) => {
      const enter = (): void => {
        signal.removeEventListener('abort', callOff);
        this.#running += 1;
        resolve();
      };
      const callOff = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        enter();
      };
      this.#waiting.push(enter);
      signal.addEventListener('abort', callOff, { once: true });
    });
  }
}
