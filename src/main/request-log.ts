import type { Log } from '../log/log.js';
import { traceIdOf } from '../log/trace-id.js';
import type { Caller } from '../rpc/interceptors/observe.js';

/** Codes that are our own fault, whatever was asked for. */
const OURS: ReadonlySet<string> = new Set(['UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS']);

/**
 * One line for each finished public request: at info for what changes something and for what we could not do, at debug for
 * the rest, so that a log at info tells who did what and is not drowned by readers. `reads`: paths of methods without
 * side effects.
 */
export function requestLog(log: Log, reads: ReadonlySet<string>) {
  return (path: string, code: string, elapsedMs: number, { requestId, projectId, traceparent }: Caller): void => {
    const level = reads.has(path) && !OURS.has(code) ? 'debug' : 'info';
    log[level]('request', {
      method: path.slice(1),
      code,
      durationMs: Math.round(elapsedMs * 10) / 10,
      projectId,
      requestId,
      traceId: traceIdOf(traceparent),
    });
  };
}
