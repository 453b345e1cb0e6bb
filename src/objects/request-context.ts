/** On whose behalf something is done. Never holds a token. */
export interface RequestContext {
  /** `req-<uuid>`. */
  readonly requestId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly roles: readonly string[];
  /** W3C trace context; empty when traces are off. */
  readonly traceparent: string;
}

/** Whether the caller is an administrator. */
export function isAdmin(context: RequestContext): boolean {
  return context.roles.includes('admin');
}
