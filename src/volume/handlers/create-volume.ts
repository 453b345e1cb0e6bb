import { type CreateVolumeOnVolume, readCreateVolumeOnVolume } from '../../casts/cast-messages.js';
import { type Claim, Fenced } from '../../casts/claim.js';
import type { MessageParts } from '../../casts/fail-volume.js';
import type { CastHandler, GivenBack } from '../../casts/handler.js';
import { Fault } from '../../errors/fault.js';
import type { FlowListener } from '../../flow/listeners.js';
import { runFor } from '../../flow/run-for.js';
import type { Backend } from '../backend.js';
import { type BackendsOfProcess, backendFor } from '../backend-for.js';
import { createVolumeFlow, type CreateVolumeFlowParts } from '../flows/create-volume.js';
import { creationFailed } from '../outcomes.js';

export interface CreateVolumeParts extends CreateVolumeFlowParts, MessageParts {
  readonly backends: BackendsOfProcess;
  /** Told every transition of the flows. */
  readonly listeners: readonly FlowListener[];
}

/** `CreateVolume`. Rule: cinder/volume/manager.py, `create_volume`. */
export function createVolume(parts: CreateVolumeParts): CastHandler<CreateVolumeOnVolume> {
  const flow = createVolumeFlow(parts);

  return {
    decode: readCreateVolumeOnVolume,
    waits: true,

    async run(claim, cast, signal, begin) {
      const backend = backendFor(parts.backends, claim);
      return inTurn(backend, claim, cast, signal, async () => {
        await begin();
        // before anything can fail, so that no report says less than the schedulers have sold
        const place = { ...backend.placeOf(cast.volume), id: claim.resourceId };
        backend.allocations.add(place, claim.epoch);
        const over = { volumeId: claim.resourceId, epoch: claim.epoch, pool: place.pool };
        try {
          await flow.run(
            { claim, backend, cast },
            { signal, listeners: parts.listeners, ...runFor(claim.context, claim.resourceId) },
          );
          backend.allocations.include(over);
          return undefined;
        } catch (error) {
          // what goes on elsewhere is not over: its next owner says so
          const goesOn = signal.aborted || error instanceof Fenced;
          if (goesOn) backend.allocations.leave(over);
          else backend.allocations.include(over);
          if (isOver(backend, claim)) return 'given_back'; // to the scheduler, and the claim with it
          if (isNoLongerHere(error, claim)) backend.allocations.remove(claim.resourceId);
          throw error;
        }
      });
    },

    fail: (claim, error) => creationFailed(parts, claim, error),
  };
}

function inTurn(
  backend: Backend,
  { resourceId }: Claim,
  { volume: { sourceVolumeId } }: CreateVolumeOnVolume,
  signal: AbortSignal,
  work: () => Promise<GivenBack | undefined>,
): Promise<GivenBack | undefined> {
  return sourceVolumeId === null
    ? backend.run(resourceId, signal, work)
    : backend.runCopy(resourceId, sourceVolumeId, signal, work);
}

/** Somebody else has the work, or has destroyed the record. */
function isNoLongerHere(error: unknown, { resourceId }: Claim): boolean {
  return error instanceof Fenced || (Fault.is(error, 'VolumeNotFound') && error.facts.volumeId === resourceId);
}

/** A volume that was rescheduled no longer counts as allocated here; one that failed does, until it is deleted. */
function isOver(backend: Backend, claim: Claim): boolean {
  return !backend.allocations.has(claim.resourceId);
}
