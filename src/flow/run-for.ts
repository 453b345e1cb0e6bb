import type { RequestContext } from '../objects/request-context.js';
import type { RunOptions } from './flow.js';

/** What a run says of itself in logs and traces: on whose behalf it runs and, where it is known, about which resource. */
export function runFor(
  { requestId, projectId, traceparent }: RequestContext,
  resourceId = '',
): Required<Pick<RunOptions, 'requestId' | 'projectId' | 'traceparent' | 'resourceId'>> {
  return { requestId, projectId, traceparent, resourceId };
}
