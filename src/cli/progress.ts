const TICK_MS = 1_000;
const CLEAR_LINE = '\r\u001b[2K';

/** Says how long work goes on: on a terminal in one line that is drawn anew, elsewhere in a line for each news. */
export interface Progress {
  /** News. What was said already is not said again. */
  say(text: string): void;
  /** Takes the drawn line away. To be called when the work has ended, however it did. */
  end(): void;
}

/** Progress on stderr: stdout has only the result. */
export function progressOn(stderr: NodeJS.WritableStream, now: () => number = Date.now): Progress {
  return 'isTTY' in stderr && stderr.isTTY === true ? new DrawnProgress(stderr, now) : new WrittenProgress(stderr);
}

class WrittenProgress implements Progress {
  #last = '';

  constructor(readonly stream: NodeJS.WritableStream) {}

  say(text: string): void {
    if (text === this.#last) return;
    this.#last = text;
    this.stream.write(`${text}\n`);
  }

  end(): void {
    // every line is whole already
  }
}

class DrawnProgress implements Progress {
  readonly #startedAt: number;
  #text = '';
  #ticker: NodeJS.Timeout | undefined;

  constructor(
    readonly stream: NodeJS.WritableStream & { readonly columns?: number },
    readonly now: () => number,
  ) {
    this.#startedAt = now();
  }

  say(text: string): void {
    this.#text = text;
    this.#draw();
    this.#ticker ??= setInterval(() => this.#draw(), TICK_MS).unref();
  }

  end(): void {
    clearInterval(this.#ticker);
    if (this.#text !== '') this.stream.write(CLEAR_LINE);
    this.#text = '';
  }

  /** A line that is longer than the terminal is wide would not be cleared. */
  #draw(): void {
    const elapsed = ` (${Math.round((this.now() - this.#startedAt) / 1_000)} s)`;
    const room = Math.max(0, (this.stream.columns ?? 80) - 1 - elapsed.length);
    this.stream.write(`${CLEAR_LINE}${this.#text.slice(0, room)}${elapsed}`);
  }
}
