import type { RequestContext } from '../objects/request-context.js';
import { newRequestId } from '../rpc/context.js';

/** The context of what a service does on its own account. */
export function nobody(): RequestContext {
  return { requestId: newRequestId(), projectId: '', userId: '', roles: ['admin'], traceparent: '' };
}
