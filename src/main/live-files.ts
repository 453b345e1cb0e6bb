import { statSync } from 'node:fs';
import type { Config, OptionField } from '../config/schema.js';
import type { Log } from '../log/log.js';
import type { Reloads } from './reload.js';

export interface LiveFilesOptions<T> {
  /** For the log, e.g. `certificate of the public API`. */
  readonly name: string;
  /** Where the value stands. */
  readonly files: () => readonly string[];
  /** Reads the value. What it throws at first is thrown on; later the last value stays. */
  readonly read: () => T;
  readonly log: Log;
  /** Between two looks at the files, ms. @default 5000 */
  readonly intervalMs?: number;
}

/**
 * A value that stands in files, read again when they change. Files are looked at, not watched: notifications miss what a
 * mounted secret or a network file system does. A change counts once it has settled, so that a certificate is not read
 * between its two files.
 */
export class LiveFiles<T> {
  readonly #options: LiveFilesOptions<T>;
  readonly #listeners: ((value: T) => void)[] = [];
  #value: T;
  #files: readonly string[];
  /** What the files looked like when they were read, and at the last look. */
  #read: string;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  /** Throws what `read` throws. */
  constructor(options: LiveFilesOptions<T>) {
    this.#options = options;
    this.#files = options.files();
    this.#read = this.#seen = looksOf(this.#files); // before they are read: a change in between is seen as one
    this.#value = options.read();
  }

  get value(): T {
    return this.#value;
  }

  onChange(listener: (value: T) => void): void {
    this.#listeners.push(listener);
  }

  /** Begins to look for changes. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), this.#options.intervalMs ?? 5_000).unref();
  }

  /** Reads the value again, changed or not. Throws what `read` throws; the last value, and the files looked at, stay then. */
  reload(): void {
    const { name, files: filesNow, read, log } = this.#options;
    const files = filesNow();
    const looks = looksOf(files);
    this.#value = read();
    this.#files = files;
    this.#read = this.#seen = looks;
    for (const listener of this.#listeners) listener(this.#value);
    log.info('files were read again', { part: name, files: this.#files });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const looks = looksOf(this.#files);
    const settled = looks === this.#seen;
    this.#seen = looks;
    if (!settled || looks === this.#read) return;
    try {
      this.reload();
    } catch (error) {
      this.#read = looks; // said once
      this.#options.log.error('changed files cannot be used; the last ones stay', { part: this.#options.name, error });
    }
  }
}

/** A value in files that the configuration names. */
export interface ConfiguredFilesOptions<T> extends Pick<LiveFilesOptions<T>, 'name' | 'log' | 'intervalMs'> {
  /** The options that name them. */
  readonly options: readonly OptionField[];
  readonly files: (config: Config) => readonly string[];
  readonly read: (config: Config) => T;
  /** The configuration of the start. */
  readonly config: Config;
  readonly reloads: Pick<Reloads, 'add'>;
}

/**
 * Files that SIGHUP reads again as well, from where the configuration says by then; one that cannot be used leaves the files
 * in force that were. Throws what `read` throws at first.
 */
export function configuredFiles<T>(given: ConfiguredFilesOptions<T>): LiveFiles<T> {
  const { options, reloads, files: filesIn, read, config: atFirst, ...common } = given;
  let config = atFirst;
  const files = new LiveFiles({ ...common, files: () => filesIn(config), read: () => read(config) });
  reloads.add({
    name: given.name,
    options,
    reload(next) {
      const before = config;
      config = next;
      try {
        files.reload();
      } catch (error) {
        config = before;
        throw error;
      }
    },
  });
  return files;
}

/** What tells a file from what was there before it: a change of who may read it, too, makes one that could not be read worth a try. */
function looksOf(files: readonly string[]): string {
  return files.map(looks).join(' ');
}

function looks(file: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(file);
    return `${mtimeMs}:${ctimeMs}:${size}:${ino}`;
  } catch {
    return 'none';
  }
}
