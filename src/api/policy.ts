import type { RequestContext } from '../objects/request-context.js';

/** Who may. The project is compared by the query, not here: another project's things do not exist. */
type Rule = (context: RequestContext) => boolean;

const admin: Rule = ({ roles }) => roles.includes('admin');
const member: Rule = (context) => context.roles.includes('member') || admin(context);
const reader: Rule = (context) => context.roles.includes('reader') || member(context);

/** Cinder's rules by name (`cinder/policies/`). What is not here is denied. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ['volume:create', member],
  ['volume:get', reader],
  ['volume:get_all', reader],
  ['volume:delete', member],
  ['volume:force_delete', admin],
  ['volume_extension:quotas:show', reader],
  ['volume_extension:quotas:update', admin],
  ['volume_extension:services:index', admin],
  ['scheduler_extension:scheduler_stats:get_pools', admin],
  ['message:get_all', reader],
]);

/** Whether the caller may do what the rule guards. Unknown rules deny. */
export function allows(rule: string, context: RequestContext): boolean {
  return RULES.get(rule)?.(context) ?? false;
}

/** The rules there are, for the check that every public RPC has one of them. */
export const POLICY_RULES: readonly string[] = [...RULES.keys()];
