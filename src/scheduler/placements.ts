import { backendOf, poolOf } from '../objects/backend-name.js';
import type { Candidate } from './filter-scheduler.js';
import type { Pool } from './pool-state.js';

/**
 * The best candidate at a place, `host@backend#pool` or, for any pool of it, `host@backend`; undefined when the place is
 * not among the candidates. Rule: cinder/scheduler/filter_scheduler.py, `backend_passes_filters`.
 */
export function poolAt(candidates: readonly Candidate[], place: string): Pool | undefined {
  const isPool = Boolean(poolOf(place));
  return candidates.find(({ pool }) => (isPool ? pool.backendId : backendOf(pool.backendId)) === place)?.pool;
}

/** Whether a volume may move to get another type. Cinder's words. */
export type MigrationPolicy = 'never' | 'on-demand';

/** Where a volume gets its new type. */
export interface RetypePlace {
  readonly pool: Pool;
  /** Whether it has to move there, and so needs room. */
  readonly moves: boolean;
}

/**
 * The volume's own pool if it will do, else, where it may move, the best one; undefined when there is none. `current` as in
 * the volume's record; one without a pool, from before there were pools, stays anywhere on its backend.
 * Rule: cinder/scheduler/filter_scheduler.py, `find_retype_backend`.
 */
export function poolForRetype(
  candidates: readonly Candidate[],
  current: string,
  policy: MigrationPolicy,
): RetypePlace | undefined {
  const own =
    candidates.find(({ pool }) => pool.backendId === current)?.pool ??
    (poolOf(current) === undefined ? poolAt(candidates, current) : undefined);
  if (own) return { pool: own, moves: false };
  const [best] = candidates;
  return best && policy !== 'never' ? { pool: best.pool, moves: true } : undefined;
}

/**
 * The best pool of a backend that is among the candidates for each volume type of a group, and for the group itself; in
 * the order of the first type. Undefined when there is none. Rule: cinder/scheduler/filter_scheduler.py,
 * `_get_weighted_candidates_generic_group`.
 */
export function poolForGroup(
  ofTypes: readonly (readonly Candidate[])[],
  ofGroup: readonly Candidate[],
): Pool | undefined {
  const [first = [], ...others] = ofTypes;
  const shared = [...others, ofGroup].map(
    (candidates) => new Set(candidates.map(({ pool }) => backendOf(pool.backendId))),
  );
  return first.find(({ pool }) => shared.every((backends) => backends.has(backendOf(pool.backendId))))?.pool;
}
