/** Where a value came from, for `config show`: `default`, `file <path>`, `environment <NAME>` or `flag`. */
export type Source = string;

/** What the machine and its user say; defaults may depend on it. Handed in, so that tests own it. */
export interface Surroundings {
  readonly hostname: string;
  /** Home folder of the user. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One option: everything there is to say about it. */
export interface Option<T> {
  /** Its name in the file; Cinder's where Cinder has it. */
  readonly name: string;
  /** Reads a value from the file (any TOML value) or from text (environment, flag). Throws an Error that says what would be right. */
  readonly read: (raw: unknown) => T;
  readonly fallback: (soFar: Readonly<Record<string, unknown>>, surroundings: Surroundings) => T;
  /** A value as it is written in the file. A method, so that options of every type are an `Option<unknown>`. */
  show(value: T): string;
  /** The default in words, for the help. */
  readonly defaultText: string;
  /** Unit and range in words, for the help. */
  readonly domain: string;
  readonly help: string;
  /** `in-url`: what is secret in it is the password of a URL. */
  readonly isSecret: boolean | 'in-url';
}

/** Environment name of an option: `CINDER_` and the name in upper case, `.` and `-` as `_`. */
export function environmentName(name: string): string {
  return `CINDER_${name.replaceAll(/[.-]/g, '_').toUpperCase()}`;
}

/** A table of the file. Throws when it is something else. */
export function asTable(raw: unknown): Readonly<Record<string, unknown>> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw) || raw instanceof Date) {
    throw new Error('must be a table');
  }
  return raw as Record<string, unknown>;
}
