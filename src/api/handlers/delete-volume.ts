import { randomUUID } from 'node:crypto';
import { deleteVolumeOnVolume, type OwnWords, worded } from '../../casts/cast-messages.js';
import { appendVolumeEvent } from '../../db/events.js';
import { insertRelease, type NewSettlement } from '../../db/quota-settlements.js';
import { RowCountMismatch, type Step, type Store } from '../../db/store.js';
import { awaitClones } from '../../db/volume-locks.js';
import { destroyUnplaced, transition } from '../../db/volume-transitions.js';
import type { ReadyWorker } from '../../db/worker-row.js';
import { deleteAnyWorker, putReadyWorker } from '../../db/workers.js';
import { Fault } from '../../errors/fault.js';
import { type DeleteVolumeRequest, VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import { backendOf } from '../../objects/backend-name.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { Volume } from '../../objects/volume.js';
import { DELETABLE, TRANSITIONS } from '../../objects/volume-status.js';
import { volumeAmounts } from '../../quota/resources.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { idempotencyKeyOf } from '../idempotency-key.js';
import { idempotent } from '../idempotent.js';
import { demand } from '../policy.js';
import { Violations } from '../validation.js';
import { visibleVolume } from '../visible-volume.js';

export interface DeleteVolumeParts extends OwnWords {
  readonly store: Store;
  /** Sends a row that was just made ready; best effort. */
  readonly send: (cast: ReadyWorker) => void;
  /** For how long a release may be applied, ms. */
  readonly releaseGraceMs: number;
  /** Gives amounts back and settles the release; recovery does what is left when it throws. */
  readonly releaseQuota: (release: NewSettlement) => Promise<void>;
  /** Told of a release that is left to recovery; never throws. */
  readonly onReleaseLeft: (release: NewSettlement, error: unknown) => void;
}

/** `Volumes/DeleteVolume`. Throws InvalidInput, VolumeNotFound, InvalidVolume. Rule: cinder/volume/api.py, `delete`. */
export function deleteVolume(parts: DeleteVolumeParts): PublicHandler<typeof VolumesService.deleteVolume> {
  return async (request, { context }) => {
    const bad = new Violations();
    const idempotency = idempotencyKeyOf(VolumesService.deleteVolume, request.idempotencyKey, hashed(request), bad);
    bad.check();
    return idempotent(
      { store: parts.store, context, idempotency },
      async (take) => {
        if (request.force) demand('volume:force_delete', context);
        const volume = await visibleVolume(parts.store, context, request.volumeId);
        await remove(parts, context, volume, request, take(volume.id));
        return {};
      },
      async () => ({}),
    );
  };
}

/** The same parameters are the same bytes: these are all of them. */
function hashed({ volumeId, cascade, force }: DeleteVolumeRequest): string {
  return JSON.stringify([volumeId, cascade, force]);
}

/** A volume that is placed between the look and the deletion is deleted where it was placed. */
async function remove(
  parts: DeleteVolumeParts,
  context: RequestContext,
  volume: Volume,
  request: DeleteVolumeRequest,
  taken: readonly Step[],
): Promise<void> {
  if (volume.host !== null) return begin(parts, context, volume, request, taken);
  try {
    await destroy(parts, context, volume, taken);
  } catch (error) {
    if (!(error instanceof RowCountMismatch)) throw error;
    const now = await visibleVolume(parts.store, context, volume.id);
    if (now.host !== null) return begin(parts, context, now, request, taken);
    const reason = `Volume ${volume.id} is just being accepted. Try again.`;
    throw new Fault('InvalidVolume', { volumeId: volume.id, reason }, { cause: error });
  }
}

/** How a deletion begins: by force from every status, else from those that the user may delete. */
function beginning({ status }: Volume, force: boolean): 'beginForceDelete' | 'beginDeleteUnmanaged' | 'beginDelete' {
  if (force) return 'beginForceDelete';
  return status === 'error_managing' ? 'beginDeleteUnmanaged' : 'beginDelete';
}

/** The volume is on a backend: it is marked, and the work handed there. Rule: docs/protocols.md §W DELETE. */
async function begin(
  parts: DeleteVolumeParts,
  context: RequestContext,
  volume: Volume,
  { force, cascade }: DeleteVolumeRequest,
  taken: readonly Step[],
): Promise<void> {
  const transitionName = beginning(volume, force);
  const status = TRANSITIONS[transitionName].to;
  const message = worded(parts, deleteVolumeOnVolume({ volume: { ...volume, status }, unmanageOnly: false, cascade }));
  const target = backendOf(volume.host ?? '');
  const key = { resourceType: 'Volume', resourceId: volume.id } as const;
  const change = transition(transitionName, { id: volume.id });
  const now = (): Promise<Volume> => visibleVolume(parts.store, context, volume.id);
  const done = await refusing(now, force, () =>
    parts.store.apply([
      awaitClones(volume.id),
      change,
      putReadyWorker({ status, target, message, context, ...key }),
      appendVolumeEvent({ volumeId: volume.id, type: 'volume.delete.accepted', requestId: context.requestId }),
      ...taken,
    ]),
  );
  const epoch = Number(done[2]?.returned[0]?.['epoch']);
  parts.send({ epoch, target, message, context, sends: 1, ageMs: 0, status, ...key });
}

/** No backend has it: the record goes at once, in whatever status it is. Throws RowCountMismatch when that is not so. */
async function destroy(
  { store, releaseGraceMs, releaseQuota, onReleaseLeft }: DeleteVolumeParts,
  { requestId }: RequestContext,
  volume: Volume,
  taken: readonly Step[],
): Promise<void> {
  const key = { resourceType: 'Volume', resourceId: volume.id } as const;
  const release = { ...key, id: randomUUID(), projectId: volume.projectId, deltas: volumeAmounts(volume) };
  await store.apply([
    destroyUnplaced(volume.id),
    deleteAnyWorker(key),
    ...(volume.useQuota ? [insertRelease(release, releaseGraceMs)] : []),
    appendVolumeEvent({ volumeId: volume.id, type: 'volume.delete.end', requestId }),
    ...taken,
  ]);
  if (volume.useQuota) void releaseQuota(release).catch((error: unknown) => onReleaseLeft(release, error));
}

/** Says in words why a volume cannot be deleted as it is now. */
async function refusing<T>(now: () => Promise<Volume>, force: boolean, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof RowCountMismatch)) throw error;
    const volume = await now();
    const deletable = force ? '' : `be in one of the statuses ${DELETABLE.join(', ')}; it must `;
    const reason =
      `Volume ${volume.id} must ${deletable}not be attached, be migrating, belong to a group, or be the source of a ` +
      `volume that is being made. Its status is ${volume.status}.`;
    throw new Fault('InvalidVolume', { volumeId: volume.id, reason }, { cause: error });
  }
}
