import type { Config } from '../config/schema.js';

/** A service of the product, as `serve` takes it. */
export type ServiceName = 'api' | 'scheduler' | 'volume';

/** Services that run. */
export interface Running {
  /** Reads again what may change while they run. Never rejects. */
  reload(): Promise<void>;
  /** Stops them in order; ends in a bounded time. */
  stop(): Promise<void>;
  /** Where they listen, `host:port`. */
  readonly addresses: { readonly [Name in ServiceName]?: string };
}

/** What the command line works with. Handed in, so that tests own it. */
export interface CliParts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** Home folder of the user. */
  readonly home: string;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Emits SIGTERM, SIGINT and SIGHUP. */
  readonly signals: NodeJS.EventEmitter;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** Starts services. `readConfig` loads the configuration anew, when they are told to reload. */
  readonly serve: (config: Config, services: readonly ServiceName[], readConfig: () => Config) => Promise<Running>;
  /** Brings a database to this program's schema. */
  readonly migrate: (url: string) => Promise<{ readonly from: number; readonly to: number }>;
}

/** Wrong arguments, in a user's words. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A command that did not do what was asked, in sentences for the user. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    message: string,
    /** What the process ends with. */
    readonly exitCode: number = 1,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
