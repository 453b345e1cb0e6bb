import { Fault } from '../errors/fault.js';
import type { FlowListener } from '../flow/listeners.js';
import type { PartLog } from '../log/log.js';
import { traceIdOf } from '../log/trace-id.js';

/** Codes of errors that a caller made: they are no news for an operator. */
const CALLERS_OWN: ReadonlySet<string> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'RESOURCE_EXHAUSTED',
  'UNIMPLEMENTED',
]);

/**
 * Logs the transitions of flows: what goes well at debug, what goes wrong at warn, and what could not be undone at error.
 * Rule: cinder/flow_utils.py, DynamicLogListener.
 */
export function flowLog(log: PartLog): FlowListener {
  return ({ flow, requestId, projectId, resourceId, traceparent }, transition) => {
    // a creation makes more than thirty transitions, and few logs want them
    if (!('error' in transition) && log.level !== 'debug') return;
    const fields = {
      flow,
      requestId,
      projectId: projectId || undefined,
      resourceId: resourceId || undefined,
      traceId: traceIdOf(traceparent),
      state: transition.state,
      ...(transition.kind === 'task' && { task: transition.task }),
    };
    if (!('error' in transition)) log.debug(transition.kind, fields);
    else if (transition.state === 'REVERT_FAILURE')
      log.error('a revert failed', { ...fields, error: transition.error });
    else if (isCallersOwn(transition.error)) log.debug(transition.kind, { ...fields, error: transition.error });
    else log.warn(transition.kind, { ...fields, error: transition.error });
  };
}

function isCallersOwn(error: unknown): boolean {
  return error instanceof Fault && CALLERS_OWN.has(error.code);
}
