import { Fault } from '../errors/fault.js';
import { isAdmin, isReader, type RequestContext, seesEverything } from '../objects/request-context.js';

/**
 * Who may. Five personas: reader, member and admin of a project, reader and admin of the system. The project is compared by
 * the query, not here: another project's things do not exist. Rule: Cinder's policy personas; as there, the role `admin`
 * counts in every scope.
 */
type Rule = (context: RequestContext) => boolean;

/** Changes of the installation itself. */
const admin: Rule = isAdmin;
/** What shows the installation: where things are, and how it does. */
const systemReader: Rule = seesEverything;
/** Changes of a project's things. A system's member has no more than its reader: there is no such persona. */
const member: Rule = (context) =>
  isAdmin(context) || (context.systemScope === undefined && context.roles.includes('member'));
/** Reads of a project's things; of every project's by who sees everything. */
const reader: Rule = isReader;

/** Cinder's rules by name (`cinder/policies/`). What is not here is denied. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ['volume:create', member],
  ['volume:multiattach', member],
  ['volume:get', reader],
  ['volume:get_all', reader],
  ['volume:get_all:all_projects', systemReader],
  ['volume_extension:volume_host_attribute', systemReader],
  ['volume:delete', member],
  ['volume:force_delete', admin],
  ['volume_extension:volume_admin_actions:reset_status', admin],
  ['volume_extension:quotas:show', reader],
  ['volume_extension:quotas:update', admin],
  ['volume_extension:quotas:delete', admin],
  // ours: Cinder has cinder-manage for it
  ['volume_extension:quotas:check', admin],
  ['volume_extension:quotas:sync', admin],
  ['volume_extension:quota_classes:get', systemReader],
  ['volume_extension:quota_classes:update', admin],
  ['volume_extension:services:index', systemReader],
  // ours: in Cinder nobody says who holds a version down
  ['volume_extension:services:explain_version_cap', systemReader],
  ['scheduler_extension:scheduler_stats:get_pools', systemReader],
  // ours: Cinder has nothing to explain
  ['scheduler_extension:scheduler_stats:explain_placement', admin],
  // ours: Cinder proves nothing about itself
  ['volume_extension:diagnostics:diagnose', systemReader],
  ['volume_extension:diagnostics:repair', admin],
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
  ['volume_extension:volume_type_access:get_all_for_type', systemReader],
  ['volume_extension:types_extra_specs:read_sensitive', systemReader],
  ['volume_extension:default_get', systemReader],
  ['volume_extension:default_set_or_update', admin],
  ['volume_extension:default_unset', admin],
  ['volume_extension:services:update', admin],
  ['workers:cleanup', admin],
  ['message:get', reader],
  ['message:delete', member],
]);

/** Whether the caller may do what the rule guards. Unknown rules deny. */
export function allows(rule: string, context: RequestContext): boolean {
  return RULES.get(rule)?.(context) ?? false;
}

/** Throws PolicyNotAuthorized unless the caller may: for what a rule guards beside the RPC's own. */
export function demand(rule: string, context: RequestContext): void {
  if (!allows(rule, context)) throw new Fault('PolicyNotAuthorized', { action: rule });
}

/** The rules there are, for the check that every public RPC has one of them. */
export const POLICY_RULES: readonly string[] = [...RULES.keys()];
