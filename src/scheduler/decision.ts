import { Fault } from '../errors/fault.js';
import type { FilterProperties, RequestSpec } from '../objects/request-spec.js';
import type { Volume } from '../objects/volume.js';
import type { VolumeType } from '../objects/volume-type.js';
import type { Candidate, FilterScheduler } from './filter-scheduler.js';
import type { PlacementRequest, Surroundings } from './placement-request.js';
import { poolAt } from './placements.js';
import type { Pool } from './pool-state.js';
import { describeToOperator, describeToOwner } from './refusal.js';

/** What is asked of the pools for something that exists, or is no volume. */
export interface Question {
  readonly spec: RequestSpec;
  readonly filterProperties: FilterProperties;
  readonly surroundings?: Surroundings;
  /** What differs from a request to create; the zone, too, binds only those. */
  readonly request?: Partial<PlacementRequest>;
}

/** A pool that will do, and how much room it is to give, GiB. */
export interface Pick {
  readonly pool: Pool;
  readonly takesGib: number;
}

/** A pool, its room taken; or why there is none. */
export type Decision =
  { readonly pool: Pool; readonly takenGib: number } | { readonly toOperator: string; readonly toOwner: string };

/**
 * Puts a question to the pools, picks among those that will do, best first, and takes the room. `place` is where one has
 * to be, for the account of why there is none. Throws InvalidInput, UnusableCapability.
 * Rule: cinder/scheduler/filter_scheduler.py, `backend_passes_filters`.
 */
export function decide(
  scheduler: FilterScheduler,
  question: Question,
  pick: (candidates: readonly Candidate[]) => Pick | undefined,
  place: string | null,
): Decision {
  try {
    const { request } = scheduler.begin(question.spec, question.filterProperties, question.surroundings);
    const { tallies, candidates } = scheduler.explain({ ...request, zone: '', ...question.request });
    const picked = pick(candidates);
    if (picked) {
      if (picked.takesGib !== 0) scheduler.takeRoom(picked.pool.backendId, picked.takesGib);
      return { pool: picked.pool, takenGib: picked.takesGib };
    }
    const refusal = {
      poolCount: tallies[0]?.poolCount ?? candidates.length,
      silentBackends: scheduler.silentBackends,
      tallies,
      passedCount: candidates.length,
      resourceBackend: place,
    };
    return { toOperator: describeToOperator(refusal), toOwner: describeToOwner(refusal) };
  } catch (error) {
    if (Fault.is(error, 'NoValidBackend')) return { toOperator: error.facts.reason, toOwner: error.facts.reason };
    throw error;
  }
}

/** Asks one place, `host@backend` with or without `#pool`, and takes room there. Throws as `decide`. */
export function decideAt(scheduler: FilterScheduler, question: Question, place: string, takesGib: number): Decision {
  const pick = (candidates: readonly Candidate[]): Pick | undefined => {
    const pool = poolAt(candidates, place);
    return pool && { pool, takesGib };
  };
  return decide(scheduler, question, pick, place);
}

/** Gives the room of a decision back that came to nothing. */
export function undecide(scheduler: FilterScheduler, decision: Decision): void {
  if ('pool' in decision && decision.takenGib !== 0) scheduler.takeRoom(decision.pool.backendId, -decision.takenGib);
}

/** The pool of a decision. Throws NoValidBackend, in the words for the owner, when there is none. */
export function decided(decision: Decision): Pool {
  if ('pool' in decision) return decision.pool;
  throw new Fault('NoValidBackend', { reason: decision.toOwner });
}

/** What a volume that exists needs, for a caller that does not say. */
export function specOfVolume(
  volume: Volume,
  volumeType: VolumeType | undefined,
  sizeGib = volume.sizeGib,
): RequestSpec {
  return {
    volumeId: volume.id,
    ...(volumeType && { volumeType }),
    volumeProperties: {
      sizeGib,
      projectId: volume.projectId,
      userId: volume.userId,
      ...(volume.availabilityZone !== null && { availabilityZone: volume.availabilityZone }),
      volumeTypeId: volume.volumeTypeId,
      status: volume.status,
      attachStatus: volume.attachStatus,
      metadata: volume.metadata,
      qosSpecs: new Map(),
      multiattach: volume.multiattach,
    },
    availabilityZones: [],
  };
}

/** Where a volume is, as pools are called. Throws InvalidVolume when it is nowhere. Rule: cinder/objects/base.py. */
export function placeOf({ id, host, clusterName }: Volume): string {
  const place = clusterName ?? host;
  if (!place) throw new Fault('InvalidVolume', { volumeId: id, reason: 'it has no host' });
  return place;
}
