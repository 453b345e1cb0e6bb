import { Fault } from '../errors/fault.js';
import type { FilterProperties, RequestSpec } from '../objects/request-spec.js';
import type { Volume } from '../objects/volume.js';
import type { VolumeType } from '../objects/volume-type.js';
import type { ClaimId, Claims } from './claims.js';
import type { Attempt, Candidate, FilterScheduler } from './filter-scheduler.js';
import type { PlacementRequest, Surroundings } from './placement-request.js';
import { poolAt } from './placements.js';
import type { Pool } from './pool-state.js';
import { describeToOperator, describeToOwner } from './refusal.js';

/** What decisions on room are made with. */
export interface Deciding {
  readonly scheduler: FilterScheduler;
  /** Promises a pool's room to one request, whichever scheduler asks. Undefined: the only scheduler's memory does. */
  readonly claims?: Pick<Claims, 'claim' | 'release'> | undefined;
}

/** What is asked of the pools for something that exists, or is no volume. */
export interface Question {
  readonly spec: RequestSpec;
  readonly filterProperties: FilterProperties;
  readonly surroundings?: Surroundings;
  /** What differs from a request to create; the zone, too, binds only those. */
  readonly request?: Partial<PlacementRequest>;
}

/** A pool that will do, and how much room it is to give, GiB. */
export interface Picked {
  readonly pool: Pool;
  /** In this scheduler's memory, as in Cinder's. */
  readonly takesGib: number;
  /** Before all schedulers. @default what it takes */
  readonly claimsGib?: number;
}

/** What is asked, and which of the pools that will do is wanted. */
export interface Wish {
  readonly question: Question;
  /** Among those that will do, best first. */
  readonly pick: (candidates: readonly Candidate[]) => Picked | undefined;
  /** Where one has to be, for the account of why there is none; null: anywhere. */
  readonly place: string | null;
  /** How long the room may wait to be used, ms. @default as for a volume */
  readonly holdMs?: number;
}

/** A pool, its room taken; or why there is none. */
export type Decision = Decided | { readonly toOperator: string; readonly toOwner: string };

interface Decided {
  readonly pool: Pool;
  readonly takenGib: number;
  readonly id: ClaimId;
}

/**
 * Puts a question to the pools, and takes and claims the room of the one that is picked; where others have claimed it, the
 * next one's. Throws InvalidInput, UnusableCapability; the signal's reason.
 * Rule: cinder/scheduler/filter_scheduler.py, `backend_passes_filters`; docs/adr/0009-capacity-claims.md.
 */
export async function decide(
  parts: Deciding,
  { question, pick, place, holdMs }: Wish,
  id: ClaimId,
  signal: AbortSignal,
): Promise<Decision> {
  const { scheduler } = parts;
  const begun = begin(scheduler, question);
  if (begun instanceof Fault) return { toOperator: begun.facts.reason, toOwner: begun.facts.reason };
  const request = { ...begun.request, zone: '', ...question.request };
  const lost = new Set<string>();
  for (;;) {
    const { tallies, candidates } = scheduler.explain(request);
    const picked = pick(candidates.filter(({ pool }) => !lost.has(pool.backendId)));
    if (!picked) {
      const silentBackends = scheduler.silentBackends;
      const counts = { poolCount: tallies[0]?.poolCount ?? candidates.length, passedCount: candidates.length };
      const refusal = { ...counts, silentBackends, tallies, resourceBackend: place };
      return { toOperator: describeToOperator(refusal), toOwner: describeToOwner(refusal) };
    }
    const { pool, takesGib } = picked;
    if (await take(parts, picked, id, request.isThin, holdMs)) return { pool, takenGib: takesGib, id };
    lost.add(pool.backendId);
    signal.throwIfAborted();
  }
}

/** Asks for room at one place, `host@backend` with or without `#pool`. */
export function wishAt(question: Question, place: string, room: Omit<Picked, 'pool'>, holdMs?: number): Wish {
  const pick = (candidates: readonly Candidate[]): Picked | undefined => {
    const pool = poolAt(candidates, place);
    return pool && { pool, ...room };
  };
  return { question, pick, place, ...(holdMs !== undefined && { holdMs }) };
}

/** Gives the room of a decision back that came to nothing. `isCertain`: nobody can act on it any more. */
export async function undecide({ scheduler, claims }: Deciding, decision: Decision, isCertain = true): Promise<void> {
  if (!('pool' in decision)) return;
  const { pool, takenGib, id } = decision;
  if (takenGib !== 0) scheduler.takeRoom(pool.backendId, -takenGib);
  if (isCertain) await claims?.release(id, pool.backendId);
}

/** The attempt, or the fault that says that there are none left. */
function begin(
  scheduler: FilterScheduler,
  { spec, filterProperties, surroundings }: Question,
): Attempt | Fault<'NoValidBackend'> {
  try {
    return scheduler.begin(spec, filterProperties, surroundings);
  } catch (error) {
    if (Fault.is(error, 'NoValidBackend')) return error;
    throw error;
  }
}

/** Whether the room is ours. Of a claim, won or lost, is learned what all schedulers have claimed. */
async function take(
  { scheduler, claims }: Deciding,
  { pool, takesGib, claimsGib = takesGib }: Picked,
  id: ClaimId,
  isThin: boolean,
  holdMs: number | undefined,
): Promise<boolean> {
  const { backendId } = pool;
  // at once: whoever decides while the claim is under way sees less
  if (takesGib !== 0) scheduler.takeRoom(backendId, takesGib);
  if (!claims || claimsGib <= 0) return true;
  const outcome = await claims.claim(id, pool, claimsGib, isThin, holdMs);
  const isLost = outcome.answer === 'lost';
  if (isLost && takesGib !== 0) scheduler.takeRoom(backendId, -takesGib);
  if ('reportedAt' in outcome) scheduler.learn(backendId, outcome.reportedAt, outcome.claimedGib);
  return !isLost;
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
