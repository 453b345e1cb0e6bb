import { type DeleteVolumeOnVolume, readDeleteVolumeOnVolume } from '../../casts/cast-messages.js';
import { applyFenced, type Claim, finish, giveBack } from '../../casts/claim.js';
import type { MessageParts } from '../../casts/fail-volume.js';
import type { CastHandler, GivenBack } from '../../casts/handler.js';
import { Fault } from '../../errors/fault.js';
import type { FlowListener } from '../../flow/listeners.js';
import { runFor } from '../../flow/run-for.js';
import { type BackendsOfProcess, backendFor } from '../backend-for.js';
import { deleteVolumeFlow, type DeleteVolumeFlowParts } from '../flows/delete-volume.js';
import { deletionFailed } from '../outcomes.js';
import { patiently } from '../patience.js';

/** How long a deletion waits for a backend that does not start, before it is sent again, ms. */
const BACKEND_DOWN_DELAY_MS = 5_000;

export interface DeleteVolumeParts extends DeleteVolumeFlowParts, MessageParts {
  readonly backends: BackendsOfProcess;
  /** Told every transition of the flows. */
  readonly listeners: readonly FlowListener[];
}

/** `DeleteVolume`. Rule: cinder/volume/manager.py, `delete_volume`. */
export function deleteVolume(parts: DeleteVolumeParts): CastHandler<DeleteVolumeOnVolume> {
  const { store } = parts;
  const flow = deleteVolumeFlow(parts);

  return {
    decode: readDeleteVolumeOnVolume,
    waits: true,

    async run(claim, cast, signal, begin) {
      const backend = backendFor(parts.backends, claim);
      return backend.run(claim.resourceId, signal, async (): Promise<GivenBack | undefined> => {
        await begin();
        try {
          await flow.run(
            { claim, backend, cast },
            { signal, listeners: parts.listeners, ...runFor(claim.context, claim.resourceId) },
          );
          return undefined;
        } catch (error) {
          if (Fault.is(error, 'VolumeNotFound')) return alreadyGone(claim, signal);
          if (Fault.is(error, 'DriverNotInitialized')) return waitForBackend(claim, signal);
          throw error;
        }
      });
    },

    fail: (claim, error) => deletionFailed(parts, claim, error),
  };

  /** Somebody else has destroyed the record: nothing is left to do. */
  async function alreadyGone(claim: Claim, signal: AbortSignal): Promise<undefined> {
    await patiently(signal, () => applyFenced(store, claim, [finish(claim)]));
    return undefined;
  }

  /** No other backend can do it; so it waits until this one is back, or is too old. */
  async function waitForBackend(claim: Claim, signal: AbortSignal): Promise<GivenBack> {
    await patiently(signal, () => applyFenced(store, claim, [giveBack(claim, BACKEND_DOWN_DELAY_MS)]));
    return 'given_back';
  }
}
