import { Fault } from '../errors/fault.js';
import type { LogLevel as WireLogLevel, LogLevelList } from '../gen/cinder/objects/v1/log_level.js';
import type { LogLevel } from '../log/levels.js';
import type { LeveledLog } from '../log/log.js';

/** The part of a log that others may change. */
export type LogLevels = Pick<LeveledLog, 'levels' | 'setLevels'>;

/** What the RPC calls our levels. Rule: cinder/utils.py, `get_log_method`. */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARNING', 'warn'],
  ['ERROR', 'error'],
]);
/** The words for levels; any case will do. */
export const LEVEL_WORDS: readonly string[] = [...LEVELS.keys()];
const WORDS = new Map([...LEVELS].map(([word, level]) => [level, word]));

/** Sets the level of every part whose name begins with the prefix. Throws InvalidInput. Rule: cinder/utils.py, `set_log_levels`. */
export function setLogLevels(log: LogLevels, request: WireLogLevel | undefined): void {
  const level = LEVELS.get((request?.level ?? '').toUpperCase());
  if (level) {
    log.setLevels(request?.prefix ?? '', level);
    return;
  }
  const violation = { field: 'log_request.level', description: `must be one of ${LEVEL_WORDS.join(', ')}` };
  throw new Fault('InvalidInput', { violations: [violation], omitted: 0 });
}

/** The level of every part whose name begins with the prefix. Rule: cinder/utils.py, `get_log_levels`. */
export function getLogLevels(log: LogLevels, request: WireLogLevel | undefined): LogLevelList {
  const levels = [...log.levels(request?.prefix ?? '')];
  return { objects: levels.map(([prefix, level]) => ({ prefix, level: WORDS.get(level) })) };
}
