import { type Deadline, within } from '../time/deadline.js';
import { NoAnswer } from './connection.js';

/** How many get through. */
export interface GateOptions {
  /** At the same time. */
  readonly atOnce: number;
  /** May wait for their turn; more are turned away at once. */
  readonly waiting: number;
  /** What one waits for, for the message of those who get no turn. */
  readonly what: string;
}

/** Lets a bounded number of callers through at a time, the others in the order in which they came. */
export class Gate {
  readonly #options: GateOptions;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Waits for a turn, to be ended by `leave`. Throws NoAnswer at the deadline, and at once when too many wait. */
  async enter(deadline: Deadline): Promise<void> {
    const { atOnce, waiting, what } = this.#options;
    if (this.#inside < atOnce) {
      this.#inside += 1;
      return;
    }
    if (this.#waiting.size >= waiting) throw new NoAnswer(`too many wait for ${what}`);
    let go = (): void => undefined;
    const turn = new Promise<true>((resolve) => {
      go = () => resolve(true);
    });
    this.#waiting.add(go);
    if (await within(turn, deadline)) return;
    // the turn may have come in the very moment of giving up: then it is the next one's
    if (!this.#waiting.delete(go)) this.leave();
    throw new NoAnswer(`no turn for ${what} in time`);
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
