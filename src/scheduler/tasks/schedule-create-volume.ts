import { applyFenced, type Claim, Fenced, finish, giveBack, handOver } from '../../casts/claim.js';
import {
  createVolumeOnVolume,
  type CreateVolumeOnScheduler,
  type OwnWords,
  worded,
} from '../../casts/cast-messages.js';
import { failVolume, type MessageParts } from '../../casts/fail-volume.js';
import { appendVolumeEvent } from '../../db/events.js';
import type { Store } from '../../db/store.js';
import { placeVolume } from '../../db/volume-transitions.js';
import type { ReadyWorker } from '../../db/worker-row.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { FilterProperties, RequestSpec } from '../../objects/request-spec.js';
import { backendOf } from '../../objects/backend-name.js';
import { RowCountMismatch } from '../../db/store.js';
import { chooseClaimed } from '../claimed-choice.js';
import type { Claims } from '../claims.js';
import type { IsExpected } from '../expected-backends.js';
import type { Attempt, FilterScheduler, Placement } from '../filter-scheduler.js';
import type { Surroundings } from '../placement-request.js';
import type { LookUp } from '../surroundings.js';
import { describeToOperator, describeToOwner } from '../refusal.js';

export interface ScheduleCreateVolumeParts extends MessageParts, OwnWords {
  readonly store: Store;
  readonly scheduler: FilterScheduler;
  /** Promises a pool's room to one volume, whichever scheduler asks. Undefined: the only scheduler's memory does. */
  readonly claims?: Pick<Claims, 'claim' | 'release' | 'releaseBelow'> | undefined;
  /** Whether somebody who may take the volume is expected back: then it rests. */
  readonly isExpected: IsExpected;
  /** Looks up what a request refers to beside the pools. */
  readonly lookUp: LookUp;
  /** Told of each volume that was placed. */
  readonly onPlaced: (placement: Placement) => void;
  /** Sends the row that was handed over. */
  readonly send: (cast: ReadyWorker) => void;
  /** Tells operators why there was no pool. */
  readonly onRefusal: (claim: Claim, reason: string) => void;
}

/** How long work rests while nobody can take it; the first report of a backend ends the rest early. */
export const REST_MS = 10_000;

interface Needs {
  readonly claim: Claim;
  readonly cast: CreateVolumeOnScheduler;
  readonly spec: RequestSpec;
}

export interface Scheduled {
  /** Nobody can take it now: it rests. */
  readonly isGivenBack: boolean;
}

/**
 * Chooses a pool, claims its room, and hands the work to its backend in the transaction that writes `volume.host`. No pool:
 * the work rests while one is expected; else the volume ends in `error` with a user message, and the flow ends well, as in
 * Cinder.
 * Throws Fenced; Fault DatabaseUnavailable. Rule: cinder/scheduler/flows/create_volume.py, ScheduleCreateVolumeTask.
 */
export const scheduleCreateVolume = (parts: ScheduleCreateVolumeParts): Task<Needs, Scheduled> => ({
  name: 'ScheduleCreateVolume',

  async execute(needs, { signal }) {
    const { claim, cast } = needs;
    const surroundings = await parts.lookUp(claim.context, cast.filterProperties, signal);
    const attempt = begin(parts, needs, surroundings);
    if (attempt instanceof Fault) {
      await refuse(parts, claim, attempt.facts.reason, attempt.facts.reason);
      return { isGivenBack: false };
    }
    const lastTried = attempt.retry?.backends.at(-1);
    const id = { volumeId: claim.resourceId, epoch: claim.epoch };
    if (lastTried !== undefined) await parts.claims?.releaseBelow(id, lastTried);
    const choice = await chooseClaimed({ scheduler: parts.scheduler, claims: parts.claims }, attempt, id, signal);
    if ('refusal' in choice) {
      const boundTo = choice.refusal.resourceBackend;
      if (parts.isExpected({ ageMs: claim.ageMs, boundTo, tried: attempt.retry?.backends ?? [] })) {
        await applyFenced(parts.store, claim, [giveBack(claim, REST_MS)]);
        return { isGivenBack: true };
      }
      await refuse(parts, claim, describeToOperator(choice.refusal), describeToOwner(choice.refusal));
      return { isGivenBack: false };
    }
    try {
      await place(parts, needs, choice.placement);
    } catch (error) {
      parts.scheduler.release(choice.placement);
      // only where it is sure that nothing was written: else the claim's deadline says when the room is free again
      if (error instanceof Fenced || error instanceof RowCountMismatch) {
        await parts.claims?.release(id, choice.placement.backendId);
      }
      throw error;
    }
    parts.onPlaced(choice.placement);
    return { isGivenBack: false };
  },
});

/** The attempt, or the fault that says that there are none left. */
function begin(
  { scheduler }: ScheduleCreateVolumeParts,
  { cast, spec }: Needs,
  surroundings: Surroundings,
): Attempt | Fault<'NoValidBackend'> {
  try {
    return scheduler.begin(spec, cast.filterProperties, surroundings);
  } catch (error) {
    if (Fault.is(error, 'NoValidBackend')) return error;
    throw error;
  }
}

/** Rule: docs/protocols.md §W HANDOVER. */
async function place(parts: ScheduleCreateVolumeParts, needs: Needs, placement: Placement): Promise<void> {
  const { claim, cast, spec } = needs;
  const filterProperties: FilterProperties = {
    schedulerHints: cast.filterProperties.schedulerHints,
    ...(placement.retry && { retry: placement.retry }),
  };
  const target = backendOf(placement.host);
  const message = worded(
    parts,
    createVolumeOnVolume({
      volume: {
        ...cast.volume,
        host: placement.host,
        clusterName: placement.clusterName,
        availabilityZone: placement.availabilityZone ?? cast.volume.availabilityZone,
      },
      requestSpec: spec,
      filterProperties,
      allowReschedule: true,
    }),
  );
  await applyFenced(parts.store, claim, [
    placeVolume({
      id: claim.resourceId,
      host: placement.host,
      clusterName: placement.clusterName,
      availabilityZone: placement.availabilityZone ?? cast.volume.availabilityZone ?? '',
    }),
    appendVolumeEvent({
      volumeId: claim.resourceId,
      type: 'volume.create.scheduled',
      requestId: claim.context.requestId,
    }),
    handOver(claim, { status: 'creating', target, message }),
  ]);
  parts.send({
    resourceType: claim.resourceType,
    resourceId: claim.resourceId,
    epoch: claim.epoch + 1,
    target,
    message,
    context: claim.context,
    sends: 1,
    ageMs: 0,
    status: 'creating',
  });
}

async function refuse(
  parts: ScheduleCreateVolumeParts,
  claim: Claim,
  toOperator: string,
  toOwner: string,
): Promise<void> {
  parts.onRefusal(claim, toOperator);
  await applyFenced(parts.store, claim, [
    ...failVolume(parts, claim, {
      work: 'create',
      reason: `No valid backend was found. ${toOwner}`,
      action: 'SCHEDULE_ALLOCATE_VOLUME',
      detail: 'NO_BACKEND_AVAILABLE',
      schedulerMethod: 'create_volume',
    }),
    finish(claim),
  ]);
}
