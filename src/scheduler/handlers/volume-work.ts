import { applyFenced, type Claim, Fenced, finish, handOver } from '../../casts/claim.js';
import { ACTION_OF, failVolume, type MessageParts } from '../../casts/fail-volume.js';
import { type OwnWords, worded } from '../../casts/cast-messages.js';
import { type CastHandler, NotBegun } from '../../casts/handler.js';
import { reasonForOwner } from '../../casts/reason-for-owner.js';
import type { WorkOnVolume } from '../../casts/volume-work-messages.js';
import { appendVolumeEvent } from '../../db/events.js';
import { RowCountMismatch, type Step, type Store } from '../../db/store.js';
import type { ReturnableWork } from '../../db/volume-returns.js';
import { findVolumeType } from '../../db/volume-types.js';
import type { CastMessage, ReadyWorker } from '../../db/worker-row.js';
import type { FaultName } from '../../errors/catalogue.js';
import { backendOf } from '../../objects/backend-name.js';
import type { RequestSpec } from '../../objects/request-spec.js';
import { detailByName } from '../../objects/user-message.js';
import type { Volume } from '../../objects/volume.js';
import { decide, type Deciding, type Question, specOfVolume, undecide, type Wish } from '../decision.js';
import type { Pool } from '../pool-state.js';
import { withSize } from '../placement-request.js';
import type { Readiness } from '../readiness.js';
import type { LookUp } from '../surroundings.js';

export interface VolumeWorkParts extends MessageParts, Deciding, OwnWords {
  readonly store: Store;
  readonly lookUp: LookUp;
  readonly readiness: Readiness;
  /** Sends the row that was handed over. */
  readonly send: (cast: ReadyWorker) => void;
  /** Tells operators why there was no pool. */
  readonly onRefusal: (claim: Claim, reason: string) => void;
}

/** How the work goes on at a backend. */
export interface Next {
  /** A place of the backend. */
  readonly place: string;
  readonly message: CastMessage;
  /** What the decision writes into the record. */
  readonly steps?: readonly Step[];
}

/** What differs from one kind of work on a volume to the next. */
export interface VolumeWork<R extends WorkOnVolume> {
  readonly work: ReturnableWork;
  /** Cinder's name of the method, in notifications. */
  readonly method: string;
  /** What filters are told is being done. */
  readonly operation: string;
  /** Whether a scheduler that has just started waits for the backends' reports first. */
  readonly waits: boolean;
  readonly decode: (args: Uint8Array) => R;
  /** Size the filters see when the caller does not say, GiB. @default the volume's */
  readonly sizeGib?: number;
  /** Which pool is wanted, and how much room. Throws what is wrong with the request. */
  readonly wish: (request: R, question: Question) => Wish;
  readonly next: (request: R, pool: Pool) => Next;
}

/** Faults whose words are for owners. */
const FOR_OWNERS: ReadonlySet<FaultName> = new Set(['InvalidInput']);

/**
 * Decides on work on a volume that exists, and hands it to its backend. No pool, or a request that makes no sense: the
 * volume gets its former status back, its quota too, and its owner a message. Rule: cinder/scheduler/manager.py.
 */
export function volumeWork<R extends WorkOnVolume>(parts: VolumeWorkParts, kind: VolumeWork<R>): CastHandler<R> {
  const { work, method } = kind;
  return {
    decode: kind.decode,

    async run(claim, request, signal) {
      if (kind.waits && !(await parts.readiness.wait(signal))) throw new NotBegun();
      const { filterProperties } = request;
      const spec = { ...(await specOf(parts.store, kind, request)), operation: kind.operation };
      const surroundings = await parts.lookUp(claim.context, filterProperties, signal);
      const wish = kind.wish(request, { spec, filterProperties, surroundings });
      const decision = await decide(parts, wish, { volumeId: claim.resourceId, epoch: claim.epoch }, signal);
      if (!('pool' in decision)) return refuse(parts, claim, kind, decision);
      try {
        await handOn(parts, claim, work, request.volume, kind.next(request, decision.pool));
      } catch (error) {
        // else the claim's deadline says when the room is free again
        const isNothingWritten = error instanceof Fenced || error instanceof RowCountMismatch;
        await undecide(parts, decision, isNothingWritten);
        throw error;
      }
    },

    fail: (claim, error) =>
      failVolume(parts, claim, {
        work,
        reason: reasonForOwner(claim.context, error, FOR_OWNERS),
        action: ACTION_OF[work],
        detail: detailByName(error) ?? 'UNKNOWN_ERROR',
        schedulerMethod: method,
      }),
  };
}

/** A caller that does not say what the volume needs means what its type asks for, or its size. */
async function specOf<R extends WorkOnVolume>(
  store: Store,
  { sizeGib }: VolumeWork<R>,
  { requestSpec, volume }: R,
): Promise<RequestSpec> {
  if (requestSpec) return withSize(requestSpec, sizeGib ?? volume.sizeGib);
  const type = volume.volumeTypeId ? await findVolumeType(store, { idOrName: volume.volumeTypeId }) : undefined;
  return specOfVolume(volume, type, sizeGib);
}

/** Rule: docs/protocols.md §W HANDOVER. */
async function handOn(
  parts: VolumeWorkParts,
  claim: Claim,
  work: ReturnableWork,
  { status }: Volume,
  next: Next,
): Promise<void> {
  const { place, steps = [] } = next;
  const message = worded(parts, next.message);
  const { resourceType, resourceId, context } = claim;
  const target = backendOf(place);
  await applyFenced(parts.store, claim, [
    ...steps,
    appendVolumeEvent({ volumeId: resourceId, type: `volume.${work}.scheduled`, requestId: context.requestId }),
    handOver(claim, { status, target, message }),
  ]);
  parts.send({
    resourceType,
    resourceId,
    context,
    epoch: claim.epoch + 1,
    target,
    message,
    sends: 1,
    ageMs: 0,
    status,
  });
}

async function refuse(
  parts: VolumeWorkParts,
  claim: Claim,
  { work, method }: Pick<VolumeWork<never>, 'work' | 'method'>,
  { toOperator, toOwner }: { readonly toOperator: string; readonly toOwner: string },
): Promise<void> {
  parts.onRefusal(claim, toOperator);
  const reason = `No valid backend was found. ${toOwner}`;
  await applyFenced(parts.store, claim, [
    ...failVolume(parts, claim, {
      ...{ work, reason, schedulerMethod: method },
      ...{ action: ACTION_OF[work], detail: 'NO_BACKEND_AVAILABLE' },
    }),
    finish(claim),
  ]);
}
