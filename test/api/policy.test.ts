import test from 'ava';
import { allows, POLICY_RULES } from '#src/api/policy.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { readRules } from '#src/rpc/versions.js';
import { CONTEXT } from '../casts/rows.js';

const withRoles = (...roles: string[]) => ({ ...CONTEXT, roles });
const PERSONAS = {
  reader: withRoles('reader'),
  member: withRoles('member'),
  admin: withRoles('admin'),
  systemReader: { ...withRoles('reader'), projectId: '', systemScope: 'all' },
  systemMember: { ...withRoles('member'), projectId: '', systemScope: 'all' },
  systemAdmin: { ...withRoles('admin'), projectId: '', systemScope: 'all' },
} as const;

test('every public RPC is guarded by a rule that exists', (t) => {
  const methods = [...readRules(readDescriptors()).public.values()].flatMap((api) => [...api.methods.values()]);
  t.true(methods.length > 0);
  for (const { path, policy } of methods) t.true(POLICY_RULES.includes(policy), `${path}: ${policy}`);
});

test('a rule that nobody knows denies everybody', (t) => {
  t.false(allows('volume:fly', withRoles('admin')));
  t.false(allows('', withRoles('admin')));
  t.false(allows('__proto__', withRoles('admin')));
});

/** Who may read, change, look at the installation, and change it. */
const READ = ['reader', 'member', 'admin', 'systemReader', 'systemMember', 'systemAdmin'];
const CHANGE = ['member', 'admin', 'systemAdmin'];
const INSPECT = ['admin', 'systemReader', 'systemMember', 'systemAdmin'];
const OPERATE = ['admin', 'systemAdmin'];

/** Who may, by rule. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'volume:create': CHANGE,
  'volume:multiattach': CHANGE,
  'volume:get': READ,
  'volume:get_all': READ,
  'volume:get_all:all_projects': INSPECT,
  'volume_extension:volume_host_attribute': INSPECT,
  'volume:delete': CHANGE,
  'volume:force_delete': OPERATE,
  'volume_extension:volume_admin_actions:reset_status': OPERATE,
  'workers:cleanup': OPERATE,
  'volume_extension:quotas:show': READ,
  'volume_extension:quotas:update': OPERATE,
  'volume_extension:quotas:delete': OPERATE,
  'volume_extension:quotas:check': OPERATE,
  'volume_extension:quotas:sync': OPERATE,
  'volume_extension:quota_classes:get': INSPECT,
  'volume_extension:quota_classes:update': OPERATE,
  'volume_extension:services:index': INSPECT,
  'volume_extension:services:explain_version_cap': INSPECT,
  'scheduler_extension:scheduler_stats:get_pools': INSPECT,
  'scheduler_extension:scheduler_stats:explain_placement': OPERATE,
  'volume_extension:diagnostics:diagnose': INSPECT,
  'volume_extension:diagnostics:repair': OPERATE,
  'message:get_all': READ,
  'volume:update': CHANGE,
  'volume:update_volume_metadata': CHANGE,
  'volume:delete_volume_metadata': CHANGE,
  'volume:availability_zone_list': READ,
  'volume_extension:type_create': OPERATE,
  'volume_extension:type_get': READ,
  'volume_extension:type_get_all': READ,
  'volume_extension:type_update': OPERATE,
  'volume_extension:type_delete': OPERATE,
  'volume_extension:types_extra_specs:create': OPERATE,
  'volume_extension:types_extra_specs:delete': OPERATE,
  'volume_extension:volume_type_access:addProjectAccess': OPERATE,
  'volume_extension:volume_type_access:removeProjectAccess': OPERATE,
  'volume_extension:volume_type_access:get_all_for_type': INSPECT,
  'volume_extension:types_extra_specs:read_sensitive': INSPECT,
  'volume_extension:default_get': INSPECT,
  'volume_extension:default_set_or_update': OPERATE,
  'volume_extension:default_unset': OPERATE,
  'volume_extension:services:update': OPERATE,
  'message:get': READ,
  'message:delete': CHANGE,
};

for (const [rule, who] of Object.entries(MAY)) {
  test(`${rule} is for ${who.join(', ')}`, (t) => {
    const may = Object.entries(PERSONAS).filter(([, persona]) => allows(rule, persona));
    t.deepEqual(
      may.map(([name]) => name),
      who,
    );
    t.false(allows(rule, withRoles()));
    t.false(allows(rule, withRoles('Admin', 'auditor')), 'roles are compared as they are');
    t.false(allows(rule, { ...withRoles('auditor'), systemScope: 'all' }), 'a scope alone is no role');
  });
}

test('the list of rules is reviewed: a new one needs a line here', (t) => {
  t.deepEqual([...POLICY_RULES].sort(), Object.keys(MAY).sort());
});
