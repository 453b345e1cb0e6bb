import { constants, type ServerHttp2Stream } from 'node:http2';

/** How slowly an answer may be read. */
export interface ReadLimits {
  /** How long an answer may wait for its reader, ms, and beside that the time that it takes at `minReadRate`. */
  readonly maxUnreadMs: number;
  /** Bytes a second. */
  readonly minReadRate: number;
}

/** How far a stream is that is read slowly, and since when it is there. */
interface Place {
  /** Messages that were begun since: each waits for the one before it to be sent. */
  begun: number;
  since: number;
}

/** Looks in the time that an answer may wait. */
const LOOKS = 6;

/**
 * Resets the streams of callers who read nothing of an answer: it would stay in memory, and the call in its place, for as long as
 * the connection lasts, and keep-alive proves that somebody is there, not that he reads.
 */
export class UnreadAnswers {
  readonly #limits: ReadLimits;
  readonly #streams = new Set<ServerHttp2Stream>();
  /** Those that had something unread when they were looked at. */
  readonly #slow = new WeakMap<ServerHttp2Stream, Place>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: ReadLimits) {
    this.#limits = limits;
  }

  enter(stream: ServerHttp2Stream): void {
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.#look(), this.#limits.maxUnreadMs / LOOKS).unref();
  }

  leave(stream: ServerHttp2Stream): void {
    this.#streams.delete(stream);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const { maxUnreadMs, minReadRate } = this.#limits;
    for (const stream of this.#streams) {
      const bytes = stream.writableLength;
      if (bytes === 0) continue;
      const place = this.#slow.get(stream) ?? this.#observe(stream);
      if (place.begun > 0) Object.assign(place, { begun: 0, since: now });
      else if (now - place.since > maxUnreadMs + (1_000 * bytes) / minReadRate) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** Node does not say how much of a stream was sent, and two messages may be of one length: those that begin are counted. */
  #observe(stream: ServerHttp2Stream): Place {
    const place = { begun: 1, since: 0 };
    const write = stream.write.bind(stream) as (...of: unknown[]) => boolean;
    stream.write = (...of: unknown[]) => {
      place.begun += 1;
      return write(...of);
    };
    this.#slow.set(stream, place);
    return place;
  }
}
