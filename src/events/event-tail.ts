import { compareCursors, type EventCursor, eventRange, type EventRow, readEvents } from '../db/events.js';
import type { Store } from '../db/store.js';

/** Events read at a time. */
const PAGE = 500;
const MAX_BACK_OFF_MS = 5_000;

/** Follows the events of a store for all readers of this process: one query, however many read. */
export class EventTail {
  readonly #store: Store;
  readonly #pollMs: number;
  readonly #onEvents: (events: readonly EventRow[]) => void;
  #position: EventCursor | undefined;
  #starting: Promise<EventCursor> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isPolling = false;
  #isStale = false;
  #failures = 0;

  /** `onEvents` is told new events in their order, each once, synchronously. */
  constructor(store: Store, pollMs: number, onEvents: (events: readonly EventRow[]) => void) {
    this.#store = store;
    this.#pollMs = pollMs;
    this.#onEvents = onEvents;
  }

  /** Up to where events were told; undefined while it is stopped. */
  get position(): EventCursor | undefined {
    return this.#position;
  }

  /** Starts it, if it is not running. Answers its position: from there on every event is told. */
  async start(): Promise<EventCursor> {
    if (this.#position) return this.#position;
    const starting = (this.#starting ??= eventRange(this.#store).then(({ head }) => head));
    try {
      const head = await starting;
      if (this.#starting === starting) {
        this.#position = head;
        this.#starting = undefined;
        this.#schedule();
      }
      return this.#position ?? head;
    } catch (error) {
      // another start may be under way by now: whoever waited for this one may have left
      if (this.#starting === starting) this.#starting = undefined;
      throw error;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#position = undefined;
    this.#starting = undefined;
  }

  /** Looks for events now instead of at the next tick. Costs nothing while it is stopped. */
  wake(): void {
    if (!this.#position) return;
    this.#isStale = true;
    if (!this.#isPolling) void this.#poll();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const waitMs = Math.min(this.#pollMs * 2 ** this.#failures, MAX_BACK_OFF_MS);
    this.#timer = setTimeout(() => void this.#poll(), waitMs).unref();
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      do {
        this.#isStale = false;
        const from = this.#position;
        if (!from) return;
        const events = await readEvents(this.#store, from, PAGE);
        // stopped, and perhaps started elsewhere, in the meantime
        if (this.#position !== from) return;
        this.#failures = 0;
        const last = events.at(-1);
        if (last) {
          this.#position = { tx: last.tx, seq: last.seq };
          this.#onEvents(events);
        }
        if (events.length === PAGE) this.#isStale = true;
      } while (this.#isStale);
    } catch {
      // nothing is lost: it goes on from its position when the database answers again
      this.#failures = Math.min(this.#failures + 1, 10);
    } finally {
      this.#isPolling = false;
      if (this.#position) this.#schedule();
    }
  }
}

/** Whether `a` comes after `b`. */
export function isAfter(a: EventCursor, b: EventCursor): boolean {
  return compareCursors(a, b) > 0;
}
