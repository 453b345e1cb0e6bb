import type { CreateVolumeOnVolume } from '../../casts/cast-messages.js';
import { createVolumeOnScheduler, type OwnWords, worded } from '../../casts/cast-messages.js';
import { applyFenced, type Claim, Fenced } from '../../casts/claim.js';
import { RowCountMismatch, type Store } from '../../db/store.js';
import type { CastMessage, ReadyWorker } from '../../db/worker-row.js';
import type { VolumePlace } from '../../drivers/driver.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { RequestSpec, Retry } from '../../objects/request-spec.js';
import type { Volume } from '../../objects/volume.js';
import type { Backend } from '../backend.js';
import { creationRescheduled } from '../outcomes.js';
import { patiently } from '../patience.js';

/** Characters of the failure's text that travel back to the scheduler. */
const EXC_LENGTH = 1_000;

export interface OnFailureRescheduleParts extends OwnWords {
  readonly store: Store;
  /** Sends a row that was just made ready; best effort. */
  readonly send: (cast: ReadyWorker) => void;
}

export interface OnFailureRescheduleNeeds {
  readonly claim: Claim;
  readonly backend: Backend;
  readonly cast: CreateVolumeOnVolume;
  readonly refreshed: Volume;
  readonly place: VolumePlace;
}

/**
 * Does nothing; when a later step fails, gives the volume back to the scheduler, which looks for another backend. The volume
 * then no longer counts as allocated here, and the claim is over. Where rescheduling will not do, the revert leaves the
 * claim to the FAIL that follows the flow.
 * Rule: cinder/volume/flows/manager/create_volume.py, OnFailureRescheduleTask; docs/protocols.md §W RESCHEDULE.
 */
export const onFailureReschedule = (parts: OnFailureRescheduleParts): Task<OnFailureRescheduleNeeds> => ({
  name: 'OnFailureReschedule',

  async execute() {
    return {};
  },

  async revert({ claim, backend, cast, refreshed, place }, _outcome, { signal }, cause) {
    // Shutdown is like a crash: the row stays ours until the next owner goes on with it. Fenced: nothing is ours.
    if (signal.aborted || cause instanceof Fenced) return;
    const newest = messageForScheduler(cast, refreshed, cause);
    if (!newest) return;
    const message = worded(parts, newest);
    await patiently(signal, () => applyFenced(parts.store, claim, creationRescheduled(claim, message)));
    backend.allocations.remove(refreshed.id);
    await removeWhatWasMade(backend, place, signal);
    parts.send(readyRow(claim, message));
  },
});

/** Undefined when the volume must not be rescheduled. */
function messageForScheduler(cast: CreateVolumeOnVolume, refreshed: Volume, cause: unknown): CastMessage | undefined {
  const { allowReschedule, requestSpec, filterProperties } = cast;
  if (!allowReschedule || !requestSpec || !filterProperties.retry || !isReschedulable(cause)) return undefined;
  const spec: RequestSpec = { ...requestSpec, volumeId: refreshed.id };
  const retry: Retry = { ...filterProperties.retry, exc: [textOf(cause)] };
  return createVolumeOnScheduler({
    volume: { ...refreshed, host: null },
    requestSpec: spec,
    filterProperties: { ...filterProperties, retry },
  });
}

/** What the catalogue says; of other errors, all but a record that is no longer in the status we knew. */
function isReschedulable(cause: unknown): boolean {
  return cause instanceof Fault ? cause.reschedulable : !(cause instanceof RowCountMismatch);
}

function textOf(cause: unknown): string {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return text.slice(0, EXC_LENGTH);
}

/** Best effort, as in Cinder: what stays is found when the backend starts. No other work on the volume can run here now. */
async function removeWhatWasMade(backend: Backend, place: VolumePlace, signal: AbortSignal): Promise<void> {
  try {
    await backend.driver.deleteVolume(place, { signal, onProgress: () => undefined });
  } catch {
    // the backend has just failed; that it fails again is no news
  }
}

function readyRow(claim: Claim, message: CastMessage): ReadyWorker {
  const { resourceType, resourceId, context } = claim;
  return {
    resourceType,
    resourceId,
    context,
    message,
    epoch: claim.epoch + 1,
    target: null,
    sends: 1,
    ageMs: 0,
    status: 'creating',
  };
}
