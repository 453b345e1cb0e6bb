import test from 'ava';
import { allows, POLICY_RULES } from '#src/api/policy.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { readRules } from '#src/rpc/versions.js';
import { CONTEXT } from '../casts/rows.js';

const withRoles = (...roles: string[]) => ({ ...CONTEXT, roles });

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

/** Who may, by rule: the least role. */
const LEAST: Readonly<Record<string, 'reader' | 'member' | 'admin'>> = {
  'volume:create': 'member',
  'volume:get': 'reader',
  'volume:get_all': 'reader',
  'volume:delete': 'member',
  'volume:force_delete': 'admin',
  'volume_extension:quotas:show': 'reader',
  'volume_extension:quotas:update': 'admin',
  'volume_extension:services:index': 'admin',
  'scheduler_extension:scheduler_stats:get_pools': 'admin',
  'message:get_all': 'reader',
  'volume:update': 'member',
  'volume:update_volume_metadata': 'member',
  'volume:delete_volume_metadata': 'member',
  'volume:availability_zone_list': 'reader',
  'volume_extension:type_create': 'admin',
  'volume_extension:type_get': 'reader',
  'volume_extension:type_get_all': 'reader',
  'volume_extension:type_update': 'admin',
  'volume_extension:type_delete': 'admin',
  'volume_extension:types_extra_specs:create': 'admin',
  'volume_extension:types_extra_specs:delete': 'admin',
  'volume_extension:volume_type_access:addProjectAccess': 'admin',
  'volume_extension:volume_type_access:removeProjectAccess': 'admin',
  'volume_extension:volume_type_access:get_all_for_type': 'admin',
  'volume_extension:default_set_or_update': 'admin',
  'volume_extension:default_unset': 'admin',
  'volume_extension:services:update': 'admin',
  'message:get': 'reader',
  'message:delete': 'member',
};

for (const [rule, least] of Object.entries(LEAST)) {
  test(`${rule} needs the role ${least}`, (t) => {
    const roles = ['reader', 'member', 'admin'];
    t.deepEqual(
      roles.filter((role) => allows(rule, withRoles(role))),
      roles.slice(roles.indexOf(least)),
    );
    t.false(allows(rule, withRoles()));
    t.false(allows(rule, withRoles('Admin', 'auditor')), 'roles are compared as they are');
  });
}

test('the list of rules is reviewed: a new one needs a line here', (t) => {
  t.deepEqual([...POLICY_RULES].sort(), Object.keys(LEAST).sort());
});
