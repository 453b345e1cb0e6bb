import { findIdempotency } from '../../db/idempotency.js';
import type { Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import { findWorkerState } from '../../db/worker-search.js';
import { Fault, isFault } from '../../errors/fault.js';
import { InDoubt } from '../../flow/in-doubt.js';
import type { FlowListener } from '../../flow/listeners.js';
import { runFor } from '../../flow/run-for.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { Volume } from '../../objects/volume.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { type Deadline, deadlineIn, isOver, pause } from '../../time/deadline.js';
import { DuplicateRequest } from '../duplicate-request.js';
import { createVolumeFlow, type CreateVolumeFlowParts } from '../flows/create-volume.js';
import { readCreateVolume } from '../read-create-volume.js';
import { projectOf } from '../project-scope.js';
import type { CreateVolume, IdempotencyKey } from '../requests.js';
import { volumeView } from '../views/volume-view.js';

export interface CreateVolumeParts extends CreateVolumeFlowParts {
  readonly store: Store;
  /** `api_flow_deadline`, ms: a request that is not accepted by then is undone. */
  readonly flowDeadlineMs: number;
  readonly listeners: readonly FlowListener[];
}

/** `Volumes/CreateVolume`. Rule: cinder/api/v3/volumes.py, `create`. */
export function createVolume(parts: CreateVolumeParts): PublicHandler<typeof VolumesService.createVolume> {
  const flow = createVolumeFlow(parts);
  /** Keys of requests under way here: a retry beside the first request must not be refused the room that the first holds. */
  const deciding = new Set<string>();

  return async (message, call) => {
    const { context } = call;
    projectOf(context);
    const request = readCreateVolume(message);
    if (!request.idempotency) return { volume: volumeView(await create(request, context, call)) };
    const { key } = request.idempotency;
    const owned = JSON.stringify([context.projectId, context.userId, key]);
    if (deciding.has(owned)) throw new Fault('IdempotencyKeyInProgress', { key });
    deciding.add(owned);
    try {
      const first = await answerBefore(parts.store, context, request.idempotency);
      return { volume: volumeView(first ?? (await create(request, context, call))) };
    } finally {
      deciding.delete(owned);
    }
  };

  async function create(
    request: CreateVolume,
    context: RequestContext,
    call: { readonly deadline: number; readonly signal: AbortSignal },
  ): Promise<Volume> {
    const leftMs = Math.min(call.deadline - Date.now(), parts.flowDeadlineMs);
    const deadline = deadlineIn(leftMs);
    try {
      const { entry } = await flow.run(
        { context, request, deadline },
        { signal: call.signal, listeners: parts.listeners, ...runFor(context) },
      );
      return entry.volume;
    } catch (error) {
      if (error instanceof InDoubt)
        throw new Fault('OutcomeUnknown', { resourceId: error.resourceId }, { cause: error });
      if (!(error instanceof DuplicateRequest)) {
        const winner = await answerOfTwin(parts.store, context, request.idempotency, { error, deadline });
        if (winner) return winner;
        throw error;
      }
      const winner = await answerBefore(parts.store, context, error.idempotency);
      if (winner) return winner;
      throw new Fault('IdempotencyKeyInProgress', { key: error.idempotency.key }, { cause: error });
    }
  }
}

/** Within so long a request that has reserved its quota is recorded, and its key can be found, ms. */
const TWIN_MS = 500;
const LOOK_AGAIN_MS = 50;

/**
 * The volume of a request with the same key at another process: it may hold the very room that this one was refused. While that
 * room is only reserved, it may not be recorded yet. Undefined: there is none. Throws as `answerBefore`.
 */
async function answerOfTwin(
  store: Store,
  context: RequestContext,
  idempotency: IdempotencyKey | undefined,
  { error, deadline }: { readonly error: unknown; readonly deadline: Deadline },
): Promise<Volume | undefined> {
  if (!idempotency || !isFault(error) || !('over' in error.facts)) return undefined;
  const { over } = error.facts;
  const isHeld = over.every(({ limit, inUse, reserved, asked }) => reserved > 0 && inUse + asked <= limit);
  const until = { ...deadline, at: Math.min(deadline.at, performance.now() + (isHeld ? TWIN_MS : 0)) };
  for (;;) {
    const winner = await answerBefore(store, context, idempotency);
    if (winner || isOver(until)) return winner;
    await pause(LOOK_AGAIN_MS, until);
  }
}

/**
 * The volume that an earlier request with the key made, as it is now. Throws IdempotencyKeyReused for other parameters,
 * IdempotencyKeyInProgress while it is not decided, VolumeNotFound when it has been deleted since.
 */
async function answerBefore(
  store: Store,
  { projectId, userId }: RequestContext,
  { rpc, key, requestHash }: IdempotencyKey,
): Promise<Volume | undefined> {
  const first = await findIdempotency(store, { projectId, userId, rpc, key });
  if (!first) return undefined;
  if (first.requestHash !== requestHash) throw new Fault('IdempotencyKeyReused', { key });
  const state = await findWorkerState(store, { resourceType: 'Volume', resourceId: first.resourceId });
  if (state === 'staged') throw new Fault('IdempotencyKeyInProgress', { key });
  const volume = await findVolume(store, { id: first.resourceId, projectId });
  if (!volume) throw new Fault('VolumeNotFound', { volumeId: first.resourceId });
  return volume;
}
