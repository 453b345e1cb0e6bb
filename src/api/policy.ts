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
  ['volume:update', member],
  ['volume:update_volume_metadata', member],
  ['volume:delete_volume_metadata', member],
  ['volume:availability_zone_list', reader],
  ['volume_extension:type_create', admin],
  ['volume_extension:type_get', reader],
  ['volume_extension:type_get_all', reader],
  ['volume_extension:type_update', admin],
  ['volume_extension:type_delete', admin],
  ['volume_extension:types_extra_specs:create', admin],
  ['volume_extension:types_extra_specs:delete', admin],
  ['volume_extension:volume_type_access:addProjectAccess', admin],
  ['volume_extension:volume_type_access:removeProjectAccess', admin],
  ['volume_extension:volume_type_access:get_all_for_type', admin],
  ['volume_extension:default_set_or_update', admin],
  ['volume_extension:default_unset', admin],
  ['volume_extension:services:update', admin],
  ['message:get', reader],
  ['message:delete', member],
]);

/** Whether the caller may do what the rule guards. Unknown rules deny. */
export function allows(rule: string, context: RequestContext): boolean {
  return RULES.get(rule)?.(context) ?? false;
}

/** The rules there are, for the check that every public RPC has one of them. */
export const POLICY_RULES: readonly string[] = [...RULES.keys()];
