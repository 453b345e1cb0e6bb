import type { Config, OptionField } from '../config/schema.js';
import { SCHEMA } from '../config/schema.js';
import type { Log } from '../log/log.js';

/** Something that may change while the process runs. */
export interface Reloadable {
  /** For the log, e.g. `log level`. */
  readonly name: string;
  /** Options that take effect through it; those of no reloadable need a restart. @default none */
  readonly options?: readonly OptionField[];
  /** Takes over what the configuration says now, files that it names included. What it throws leaves things as they were. */
  readonly reload: (config: Config) => void | Promise<void>;
}

/**
 * What SIGHUP reads again. Each part fails alone, with a line in the log: a broken certificate must not keep the log level
 * from changing. Rule: oslo.service, mutable options.
 */
export class Reloads {
  readonly #log: Log;
  readonly #read: () => Config;
  readonly #parts: Reloadable[] = [];
  #current: Config;
  #running: Promise<void> = Promise.resolve();

  /** `read` loads the configuration anew; what it throws leaves the last one in force. */
  constructor(log: Log, current: Config, read: () => Config = () => current) {
    this.#log = log;
    this.#current = current;
    this.#read = read;
  }

  add(part: Reloadable): void {
    this.#parts.push(part);
  }

  /** Reloads every part, one after the other. Runs never overlap; never rejects. */
  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#reload());
    return this.#running;
  }

  async #reload(): Promise<void> {
    const before = this.#current;
    try {
      this.#current = this.#read();
    } catch (error) {
      this.#log.error('the configuration cannot be read again; the last one stays', { error });
    }
    const config = this.#current;
    const failed: string[] = [];
    for (const { name, reload } of this.#parts) {
      try {
        await reload(config);
      } catch (error) {
        failed.push(name);
        this.#log.error('a part was not reloaded; it stays as it was', { part: name, error });
      }
    }
    const live = new Set(this.#parts.flatMap(({ options = [] }) => options));
    const needRestart = changed(before, config).filter((field) => !live.has(field));
    if (needRestart.length > 0) {
      this.#log.warn('these options take effect at the next start', { options: needRestart.map(nameOf) });
    }
    const parts = this.#parts.map(({ name }) => name).filter((name) => !failed.includes(name));
    this.#log.info('reloaded', { parts, failed });
  }
}

/** Options that differ. */
function changed(before: Config, after: Config): readonly OptionField[] {
  return FIELDS.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
}

const FIELDS = Object.keys(SCHEMA) as OptionField[];

function nameOf(field: OptionField): string {
  return SCHEMA[field].name;
}
