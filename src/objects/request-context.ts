/** On whose behalf something is done. Never holds a token. */
export interface RequestContext {
  /** `req-<uuid>`. */
  readonly requestId: string;
  /** Empty: the caller has the system's scope, and acts for no project. */
  readonly projectId: string;
  readonly userId: string;
  readonly roles: readonly string[];
  /**
   * The caller acts on the installation, not within a project. It stays in the API: the services behind it decide nothing by
   * it. Rule: Keystone, `openstack-system-scope`. @default a project's scope
   */
  readonly systemScope?: 'all';
  /** W3C trace context; empty when traces are off. */
  readonly traceparent: string;
}

/** Who a caller is and for what: what decides what it may do. */
type Caller = Pick<RequestContext, 'roles' | 'systemScope'>;

/** Whether the caller is an administrator: of whatever scope, as in Cinder. */
export function isAdmin({ roles }: Caller): boolean {
  return roles.includes('admin');
}

/** Whether the caller may read: the greater roles include the lesser ones, as Keystone's do. */
export function isReader({ roles }: Caller): boolean {
  return roles.some((role) => READERS.includes(role));
}

/** Whether the caller sees what belongs to any project, and where things are: administrators, and readers of the system. */
export function seesEverything(caller: Caller): boolean {
  return isAdmin(caller) || (caller.systemScope !== undefined && isReader(caller));
}

const READERS: readonly string[] = ['reader', 'member', 'admin'];

/**
 * The context that was kept as text, and whether it was one. Work goes on without: what it may do was decided when it was asked
 * for, and a text that somebody broke must not keep it from its end.
 */
export function contextIn(text: string): { readonly context: RequestContext; readonly isWhole: boolean } {
  const kept = objectIn(text);
  const context = {
    requestId: textOf(kept?.['requestId']),
    projectId: textOf(kept?.['projectId']),
    userId: textOf(kept?.['userId']),
    roles: listOf(kept?.['roles']),
    ...(kept?.['systemScope'] === 'all' && { systemScope: 'all' as const }),
    traceparent: textOf(kept?.['traceparent']),
  };
  return { context, isWhole: PARTS.every((part) => kept !== undefined && typeof kept[part] === 'string') };
}

const PARTS = ['requestId', 'projectId', 'userId', 'traceparent'] as const;

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
