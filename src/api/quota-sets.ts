import type { Store } from '../db/store.js';
import { listVolumeTypeNames } from '../db/volume-types.js';
import type { QuotaClassSet, QuotaSet } from '../gen/cinder/api/v3/quotas.js';
import type { LimitOf, Limits } from '../quota/limits.js';
import type { Quota } from '../quota/quota.js';
import { LIMIT_ONLY, PER_TYPE, RESOURCES, typeKey } from '../quota/resources.js';
import type { Deadline } from '../time/deadline.js';

export interface QuotaSetParts {
  readonly store: Store;
  readonly limits: Limits;
  readonly quota: Quota;
}

/** The resources there are: name as users know it → key of the engine. In Cinder's order, types by name. */
export async function resourceKeys(store: Store): Promise<ReadonlyMap<string, string>> {
  const types = await listVolumeTypeNames(store);
  const ofTypes = types.flatMap(({ id, name }) =>
    PER_TYPE.map((resource): [string, string] => [`${resource}_${name}`, typeKey(resource, id)]),
  );
  return new Map([...RESOURCES.map((name): [string, string] => [name, name]), ...ofTypes]);
}

/** A project's limits, without usage. Rule: cinder/api/contrib/quotas.py, `show`. */
export async function limitsOf(parts: QuotaSetParts, projectId: string): Promise<QuotaSet> {
  const [keys, limitOf] = await Promise.all([resourceKeys(parts.store), parts.limits.of(projectId)]);
  return { projectId, limits: named(keys, limitOf), usage: new Map() };
}

/** The limits of a project that has none of its own. Rule: cinder/api/contrib/quotas.py, `defaults`. */
export async function defaultLimits({ store, limits }: QuotaSetParts): Promise<QuotaSet> {
  const [keys, limitOf] = await Promise.all([resourceKeys(store), limits.defaults()]);
  return { projectId: '', limits: named(keys, limitOf), usage: new Map() };
}

/** The limits of a class. Rule: cinder/api/contrib/quota_classes.py, `show`. */
export async function classLimits({ store, limits }: QuotaSetParts, className: string): Promise<QuotaClassSet> {
  const [keys, limitOf] = await Promise.all([resourceKeys(store), limits.ofClass(className)]);
  return { className, limits: named(keys, limitOf) };
}

/** A project's limits and what it uses of them. Throws Fault QuotaUnavailable. */
export async function usageOf(parts: QuotaSetParts, projectId: string, deadline: Deadline): Promise<QuotaSet> {
  const [keys, limitOf] = await Promise.all([resourceKeys(parts.store), parts.limits.of(projectId)]);
  const counted = [...keys].filter(([name]) => name !== LIMIT_ONLY);
  const used = await parts.quota.usage(
    projectId,
    counted.map(([, key]) => key),
    deadline,
  );
  const usage = counted.map(([name, key]) => {
    const { inUse = 0, reserved = 0 } = used.get(key) ?? {};
    return [name, { limit: limitOf(key), inUse, reserved }] as const;
  });
  return { projectId, limits: named(keys, limitOf), usage: new Map(usage) };
}

function named(keys: ReadonlyMap<string, string>, limitOf: LimitOf): Map<string, number> {
  return new Map([...keys].map(([name, key]) => [name, limitOf(key)]));
}
