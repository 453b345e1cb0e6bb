import { createLogger, format, transports, type Logger } from 'winston';

import type { LogFields } from './fields.js';
import { prettyLine } from './pretty.js';
import { safe, safeText } from './safe.js';
import { LOG_LEVELS, type LogLevel } from './levels.js';

/** What every part of the product logs through. Calls below the level cost one comparison. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** Writes the stack of `fields.error`, which the other levels leave out. */
  error(message: string, fields?: LogFields): void;
}

/** A log that says its level, for those to whom the making of a line is dear. */
export interface PartLog extends Log {
  readonly level: LogLevel;
}

/** A log whose level may be changed while it is in use, as a whole or by its parts. */
export interface LeveledLog extends Log {
  /** Setting it sets that of every part. */
  level: LogLevel;
  /** The log of a part, by a name with dots, e.g. `cinder.volume`; its lines carry the name. The same for the same name. */
  logger(name: string): PartLog;
  /** The names there are that begin so, ordered, with their levels; the log's own is `cinder`. */
  levels(prefix: string): ReadonlyMap<string, LogLevel>;
  /** Sets the level of all whose name begins so. */
  setLevels(prefix: string, level: LogLevel): void;
}

/** The log's own name among its parts. */
const ROOT = 'cinder';

export interface LogOptions {
  readonly level: LogLevel;
  /** `json`: one JSON object a line; `pretty`: for people; `auto`: pretty on a terminal. */
  readonly format: 'auto' | 'json' | 'pretty';
  /** Where lines go. Must not be an object-mode stream. */
  readonly stream: NodeJS.WritableStream;
  /** Fields of every line, e.g. `host`. @default none */
  readonly fields?: LogFields;
}

/** Makes a log. Lines carry `time` (ISO 8601, UTC), `level`, `message` and the fields, secrets masked. */
export function createLog({ level, format: lines, stream, fields: always = {} }: LogOptions): LeveledLog {
  const isPretty = lines === 'pretty' || (lines === 'auto' && isTerminal(stream));
  const logger = createLogger({
    // the levels are checked below, before anything is formatted
    level: 'debug',
    format: format.printf((info) => (isPretty ? prettyLine(info, isTerminal(stream)) : jsonLine(info))),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's own typings
    transports: [new transports.Stream({ stream, eol: '\n' })],
  });
  const root = part(logger, always, LOG_LEVELS.indexOf(level));
  const parts = new Map([[ROOT, root]]);
  const setLevels = (prefix: string, next: LogLevel): void => {
    for (const [name, one] of parts) if (name.startsWith(prefix)) one.limit = LOG_LEVELS.indexOf(next);
  };
  return {
    ...root.log,
    get level() {
      return root.log.level;
    },
    set level(next) {
      setLevels('', next);
    },
    logger(name) {
      const one = parts.get(name) ?? part(logger, { ...always, logger: name }, root.limit);
      parts.set(name, one);
      return one.log;
    },
    levels(prefix) {
      const found = [...parts].filter(([name]) => name.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
      return new Map(found.map(([name, one]) => [name, one.log.level]));
    },
    setLevels,
  };
}

/** A log with a level of its own. */
interface Part {
  readonly log: PartLog;
  /** Index of the level among LOG_LEVELS. */
  limit: number;
}

function part(logger: Logger, always: LogFields, limit: number): Part {
  const at =
    (name: LogLevel, severity = LOG_LEVELS.indexOf(name)) =>
    (message: string, fields?: LogFields): void => {
      if (severity <= one.limit) write(logger, name, message, always, fields);
    };
  const log: PartLog = {
    ...{ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    get level() {
      return LOG_LEVELS[one.limit] ?? 'error';
    },
  };
  const one: Part = { log, limit };
  return one;
}

/** The same log with fields added to every line, e.g. those of one request. */
export function withFields(log: Log, fields: LogFields): Log {
  const at =
    (name: LogLevel) =>
    (message: string, more?: LogFields): void =>
      log[name](message, more ? { ...fields, ...more } : fields);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Writes nothing. */
export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

function write(logger: Logger, level: LogLevel, message: string, always: LogFields, fields?: LogFields): void {
  const details = safe({ ...always, ...fields }, level === 'error') as object;
  // one object: winston would append the message of a second argument to ours
  logger.log({ ...details, time: new Date().toISOString(), level, message: safeText(message) });
}

/** Characters of a line; collectors cut what is longer, and what is cut is no JSON any more. */
const MAX_LINE = 32_768;
/** Of a value that stays in a line that is too long: ids, codes and names are shorter. */
const SHORT = 300;

function jsonLine({ time, level, message, ...fields }: Record<string, unknown>): string {
  const line = JSON.stringify({ time, level, message, ...fields });
  if (line.length <= MAX_LINE) return line;
  const kept = Object.entries(fields).filter(([, value]) => isShort(value));
  return JSON.stringify({ time, level, message, ...Object.fromEntries(kept.slice(0, 50)), shortenedFrom: line.length });
}

function isShort(value: unknown): boolean {
  return typeof value === 'string' ? value.length <= SHORT : typeof value !== 'object';
}

function isTerminal(stream: NodeJS.WritableStream): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}
