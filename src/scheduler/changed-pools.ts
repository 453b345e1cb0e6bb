import { equals, get, isList, isMap, type ValueMap } from './python/value.js';
import { poolName } from './report.js';

/** What a pool must report before changes of it are announced; a change of any of these is one. */
const REQUIRED_KEYS = [
  'pool_name',
  'total_capacity_gb',
  'free_capacity_gb',
  'allocated_capacity_gb',
  'provisioned_capacity_gb',
  'thin_provisioning_support',
  'thick_provisioning_support',
  'max_over_subscription_ratio',
  'reserved_percentage',
] as const;

/**
 * The pools of `after` that are new or differ from `before` in a figure that is announced; none when `after` is not
 * complete. Rule: cinder/scheduler/host_manager.py, `_get_updated_pools`.
 */
export function changedPools(before: ValueMap, after: ValueMap): readonly ValueMap[] {
  const pools = listedPools(after);
  if (pools === undefined || !pools.every(isComplete)) return [];
  const known = new Map(listedPools(before)?.map((pool) => [poolName(pool), pool]));
  return [...new Map(pools.map((pool) => [poolName(pool), pool])).values()].filter((pool) => {
    const old = known.get(poolName(pool));
    return old === undefined || REQUIRED_KEYS.some((key) => !equals(get(old, key), get(pool, key)));
  });
}

/** The pools of a report; undefined when it has no list of them, or an empty one. */
export function listedPools(capabilities: ValueMap): readonly ValueMap[] | undefined {
  const pools = get(capabilities, 'pools');
  return isList(pools) && pools.length > 0 ? pools.filter(isMap) : undefined;
}

function isComplete(pool: ValueMap): boolean {
  return REQUIRED_KEYS.every((key) => Object.hasOwn(pool, key));
}
