import { ageOfNext, type EventCursor, eventRange, type EventRow, readEvents } from '../db/events.js';
import type { Store } from '../db/store.js';
import { changeOfPayload, type PayloadChange } from '../db/volume-rows.js';
import { Fault } from '../errors/fault.js';
import type { Volume } from '../objects/volume.js';
import { ChangeQueue } from './change-queue.js';
import { EventTail, isAfter } from './event-tail.js';

export interface WatchOptions {
  /** How often to look for events of other processes while somebody watches, ms. @default 100, on SQLite 1000 */
  readonly pollMs?: number;
  /** Changes that may wait for a reader before it is too slow, 1 to 100,000. @default 1000 */
  readonly bufferSize?: number;
  /** Watches of this process at the same time, 1 to 100,000. @default 1000 */
  readonly maxWatches?: number;
  /** Told of an event that cannot be read, and that no watcher gets; never throws. @default nobody */
  readonly onUnreadable?: (event: EventRow) => void;
}

/** What to watch. */
export interface WatchRequest {
  /** Absent: all projects. */
  readonly projectId?: string;
  /** Only these volumes. @default all */
  readonly volumeIds?: readonly string[];
  /** Go on after this change. @default from now on */
  readonly after?: EventCursor;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** One change. */
export interface VolumeChange {
  /** As it is after the change, without `providerAuth`. */
  readonly volume: Volume;
  /** Give it back as `after` to go on after this change. */
  readonly cursor: EventCursor;
  /** How far long work on it is, 0 to 100; absent where nothing long is done. */
  readonly progressPercent?: number;
}

/** Changes as they happen; each once, in the order of their transactions. */
export interface VolumeWatch extends AsyncIterable<VolumeChange> {
  /** Where it began. */
  readonly start: EventCursor;
  /** Aborted with Fault `WatchTooSlow` once the reader has lost changes: it may be busy with one that nobody takes from it. */
  readonly cutOff: AbortSignal;
}

interface Reader {
  readonly request: WatchRequest;
  readonly volumeIds: ReadonlySet<string> | undefined;
  readonly queue: ChangeQueue<Live>;
  /** Up to where it was served. */
  cursor: EventCursor;
  /** Set when this process ends. */
  stopped: Fault | undefined;
  readonly cutOff: AbortController;
  /** Forgets the reader. Safe to repeat. */
  readonly leave: () => void;
}

/** What the tail hands to a reader: an event's place, and what it says, read once for all readers. */
interface Live {
  readonly event: EventRow;
  readonly change: Omit<VolumeChange, 'cursor'>;
}

const DEFAULT_BUFFER = 1_000;
const DEFAULT_MAX_WATCHES = 1_000;
const CATCH_UP_PAGE = 200;

/** Streams changes of volumes to the watchers of this process. See docs/protocols.md, "Also settled: Events". */
export class VolumeEvents {
  readonly #store: Store;
  readonly #bufferSize: number;
  readonly #tail: EventTail;
  /** Those whom the tail serves. */
  readonly #readers = new Set<Reader>();
  /** Everybody who watches, also who still catches up. */
  readonly #open = new Set<Reader>();
  readonly #maxWatches: number;
  readonly #onUnreadable: (event: EventRow) => void;

  constructor(store: Store, options: WatchOptions = {}) {
    const { pollMs = store.dialect === 'sqlite' ? 1_000 : 100, bufferSize = DEFAULT_BUFFER } = options;
    this.#maxWatches = options.maxWatches ?? DEFAULT_MAX_WATCHES;
    this.#onUnreadable = options.onUnreadable ?? (() => undefined);
    this.#store = store;
    this.#bufferSize = bufferSize;
    this.#tail = new EventTail(store, pollMs, (events) => this.#deliver(events));
  }

  /** To be called after events were written in this process, so that nobody waits for the next look. */
  wake(): void {
    this.#tail.wake();
  }

  /**
   * Begins a watch. On PostgreSQL one from now on may show changes of the last moments before it, of transactions that
   * were still waiting for others. Throws Fault `InvalidInput` for a cursor whose successors were purged, and the signal's
   * reason; reading it throws Fault `WatchTooSlow`, and `ServiceStopping` when this process ends.
   */
  async subscribe(request: WatchRequest): Promise<VolumeWatch> {
    const { head, horizon, last } = await eventRange(this.#store);
    const start = request.after ?? head;
    // what is beyond the last was not given out by this database
    if (request.after && (isAfter(horizon, start) || isAfter(start, last))) throw expired();
    request.signal.throwIfAborted();

    if (this.#open.size >= this.#maxWatches) {
      throw new Fault('TooManyRequests', { what: 'watches', limit: this.#maxWatches });
    }

    const reader = this.#enter(request, start);
    try {
      // a watch from now on joins before it is answered, so that it need not be read at once
      const joined = request.after === undefined ? await this.#join(reader) : undefined;
      return { start, cutOff: reader.cutOff.signal, [Symbol.asyncIterator]: () => this.#read(reader, joined) };
    } catch (error) {
      reader.leave();
      throw error;
    }
  }

  /** How many watch, and how full the fullest buffer is, 0 to 1. */
  get load(): { readonly watches: number; readonly fullest: number } {
    const sizes = [...this.#open].map(({ queue }) => queue.size);
    return { watches: this.#open.size, fullest: Math.max(0, ...sizes) / this.#bufferSize };
  }

  /** Age of the oldest change that was not told yet, ms; undefined while nobody watches. Throws what the store throws. */
  async lagMs(): Promise<number | undefined> {
    const position = this.#tail.position;
    return position && ageOfNext(this.#store, position);
  }

  /** Ends all watches with Fault `ServiceStopping`. */
  close(): void {
    for (const reader of this.#open) {
      reader.stopped = new Fault('ServiceStopping', {});
      reader.queue.end(reader.stopped);
      reader.leave();
    }
  }

  #enter(request: WatchRequest, cursor: EventCursor): Reader {
    const { volumeIds, signal } = request;
    const queue = new ChangeQueue<Live>(this.#bufferSize);
    const leave = () => {
      signal.removeEventListener('abort', leave);
      queue.end();
      this.#open.delete(reader);
      if (this.#readers.delete(reader) && this.#readers.size === 0) this.#tail.stop();
    };
    const reader: Reader = {
      ...{ request, queue, cursor, leave, stopped: undefined, cutOff: new AbortController() },
      volumeIds: volumeIds && volumeIds.length > 0 ? new Set(volumeIds) : undefined,
    };
    this.#open.add(reader);
    signal.addEventListener('abort', leave);
    return reader;
  }

  async *#read(reader: Reader, joinedAt?: EventCursor): AsyncGenerator<VolumeChange, void, undefined> {
    const { signal } = reader.request;
    try {
      let joined = joinedAt;
      while (!joined || isAfter(joined, reader.cursor)) {
        if (reader.stopped) throw reader.stopped;
        if (signal.aborted) return;
        const page = await this.#page(reader.cursor);
        for (const event of page) {
          reader.cursor = { tx: event.tx, seq: event.seq };
          if (!changesTheVolume(event) || !wants(reader, event.projectId, event.resourceId)) continue;
          const change = this.#changeIn(event);
          if (change) yield { cursor: reader.cursor, ...change };
        }
        if (page.length === CATCH_UP_PAGE) continue;
        // a page that was read after the join to its end has everything that the queue has not
        if (joined) break;
        joined = await this.#join(reader);
      }
      for (let batch = await reader.queue.take(); batch; batch = await reader.queue.take()) {
        for (const live of batch) {
          if (signal.aborted) return;
          if (!isAfter(live.event, reader.cursor)) continue;
          reader.cursor = { tx: live.event.tx, seq: live.event.seq };
          yield { cursor: reader.cursor, ...live.change };
        }
      }
    } finally {
      reader.leave();
    }
  }

  /** From the answered position on, events come through the reader's queue. */
  async #join(reader: Reader): Promise<EventCursor> {
    this.#readers.add(reader);
    return this.#tail.start();
  }

  /** The horizon is read after the page: what it does not pass was there. */
  async #page(from: EventCursor): Promise<readonly EventRow[]> {
    const page = await readEvents(this.#store, from, CATCH_UP_PAGE);
    const { horizon } = await eventRange(this.#store);
    if (isAfter(horizon, from)) throw expired();
    return page;
  }

  /** One that somebody broke must not keep the watchers from those behind it. */
  #changeIn(event: EventRow): PayloadChange | undefined {
    const change = changeOfPayload(event.payload);
    if (!change) this.#onUnreadable(event);
    return change;
  }

  #deliver(events: readonly EventRow[]): void {
    for (const event of events) {
      if (!changesTheVolume(event)) continue;
      const readers = [...this.#readers].filter((reader) => wants(reader, event.projectId, event.resourceId));
      const change = readers.length > 0 ? this.#changeIn(event) : undefined;
      if (!change) continue;
      const live = { event, change };
      for (const reader of readers) {
        // progress is news only: a reader that is behind gets what is to come
        if (isProgress(event) && reader.queue.size >= this.#bufferSize / 2) continue;
        const tooSlow = reader.queue.push(live);
        if (tooSlow) this.#cutOff(reader, tooSlow);
      }
    }
  }

  /** Its place is free at once, even if nobody ever reads again. */
  #cutOff(reader: Reader, fault: Fault): void {
    reader.leave();
    reader.cutOff.abort(fault);
  }
}

/** That work has begun, and that it was a scheduler that has failed, are notifications: the volume is as it was. */
function changesTheVolume({ type }: EventRow): boolean {
  return !type.endsWith('.start') && !type.startsWith('scheduler.');
}

function isProgress({ type }: EventRow): boolean {
  return type.endsWith('.progress');
}

function wants({ request, volumeIds }: Reader, projectId: string, volumeId: string): boolean {
  const isTheirs = request.projectId === undefined || request.projectId === projectId;
  return isTheirs && (volumeIds === undefined || volumeIds.has(volumeId));
}

function expired(): Fault {
  const description =
    'is too old or not from here: what followed it is no longer kept; read the volumes and watch from now on';
  return new Fault('InvalidInput', { violations: [{ field: 'resume_token', description }], omitted: 0 });
}
