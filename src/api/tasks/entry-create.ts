import { createVolumeOnScheduler, type OwnWords, worded } from '../../casts/cast-messages.js';
import { appendVolumeEvent } from '../../db/events.js';
import { deleteIdempotencyOf, insertIdempotency } from '../../db/idempotency.js';
import { findSettlement, insertCharge, markUndo } from '../../db/quota-settlements.js';
import { CommitUnknown, RowCountMismatch, type Step, type Store, UniqueViolation } from '../../db/store.js';
import { demandSource } from '../../db/volume-locks.js';
import { transition } from '../../db/volume-transitions.js';
import { demandVolumeType } from '../../db/volume-types.js';
import { insertedVolume, insertVolume, type NewVolume, unplacedVolume } from '../../db/volumes.js';
import type { CastMessage } from '../../db/worker-row.js';
import { deleteAnyWorker, insertStagedWorker } from '../../db/workers.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import { InDoubt } from '../../flow/in-doubt.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { RequestSpec } from '../../objects/request-spec.js';
import { timeOrderedId } from '../../objects/time-ordered-id.js';
import type { Volume } from '../../objects/volume.js';
import type { Reservation } from '../../quota/quota.js';
import { DuplicateRequest } from '../duplicate-request.js';
import type { CreateVolume } from '../requests.js';
import type { VolumeSpec } from './extract-volume-request.js';

export interface EntryCreateParts extends OwnWords {
  readonly store: Store;
  /** Our incarnation, which owns the staged row. */
  readonly owner: string;
}

interface Needs {
  readonly context: RequestContext;
  readonly request: CreateVolume;
  readonly spec: VolumeSpec;
  readonly reservation: Reservation;
}

/** The record, and the message that will place it. */
export interface Entry {
  readonly volume: Volume;
  readonly message: CastMessage;
}

/**
 * Writes the record, the staged row of work, the open charge, the idempotency key and the event, in one transaction.
 * A clone demands that its source may still be cloned, and every volume that its type is still there; both stay so until
 * all this is committed.
 * Throws DuplicateRequest when the key is taken; VolumeTypeNotFound, InvalidVolume for such a type or source; InDoubt when
 * nobody knows whether the transaction was committed.
 * Rule: cinder/volume/flows/api/create_volume.py, EntryCreateTask; docs/protocols.md §Q CREATE 2.
 */
export const entryCreate = (parts: EntryCreateParts): Task<Needs, { entry: Entry }> => ({
  name: 'EntryCreate',

  async execute({ context, request, spec, reservation }) {
    const record = recordOf(context, request, spec);
    const message = worded(
      parts,
      createVolumeOnScheduler({
        volume: unplacedVolume(record, 0),
        requestSpec: requestSpecOf(record, spec),
        filterProperties: { schedulerHints: request.schedulerHints },
      }),
    );
    const [insertRecord, ...insertMetadata] = insertVolume(record);
    const demands = demandsOf(spec);
    const unit = [
      insertRecord,
      ...(request.idempotency
        ? [
            insertIdempotency(
              { rpc: request.idempotency.rpc, key: request.idempotency.key, ...context },
              { requestHash: request.idempotency.requestHash, resourceId: record.id },
            ),
          ]
        : []),
      ...insertMetadata,
      insertStagedWorker(
        { resourceType: 'Volume', resourceId: record.id, status: 'creating', target: null, message, context },
        parts.owner,
      ),
      insertCharge({ resourceType: 'Volume', resourceId: record.id, ...reservation }),
      appendVolumeEvent({ volumeId: record.id, type: 'volume.create.accepted', requestId: context.requestId }),
      // last, so that they are locked for as short as can be
      ...demands.map(({ step }) => step),
    ];
    try {
      const [done] = await parts.store.apply(unit);
      if (!done) throw new TypeError('the unit had no steps');
      return { entry: { volume: insertedVolume(record, done), message } };
    } catch (error) {
      const missed = error instanceof RowCountMismatch && demands.find(({ step }) => step === unit[error.step]);
      if (missed) throw missed.fault();
      if (isKeyTaken(error) && request.idempotency) throw new DuplicateRequest(request.idempotency);
      if (!(error instanceof CommitUnknown)) throw error;
      return { entry: await whatWasCommitted(parts.store, reservation, { record, message }, error) };
    }
  },

  /** Destroys the record once, whoever is first: this revert, or recovery. */
  async revert({ reservation, context: { requestId } }, outcome) {
    if ('failed' in outcome) return; // nothing was written
    const { id } = outcome.gave.entry.volume;
    try {
      await parts.store.apply([
        markUndo(reservation.id),
        transition('undoCreate', { id }),
        deleteAnyWorker({ resourceType: 'Volume', resourceId: id }),
        deleteIdempotencyOf(id),
        appendVolumeEvent({ volumeId: id, type: 'volume.create.undone', requestId }),
      ]);
    } catch (error) {
      if (!(error instanceof RowCountMismatch)) throw error; // else: recovery has undone it
    }
  },
});

/** What must not have gone while it was read about, and what to say if it has. */
function demandsOf({
  volumeType,
  source,
}: VolumeSpec): readonly { readonly step: Step; readonly fault: () => Fault }[] {
  const type = {
    step: demandVolumeType(volumeType.id),
    fault: () => new Fault('VolumeTypeNotFound', { volumeType: volumeType.name }),
  };
  return source ? [type, { step: demandSource(source.id), fault: () => sourceGone(source.id) }] : [type];
}

/** Somebody was faster, most likely one who deletes it. */
function sourceGone(id: string): Fault {
  const reason = `Volume ${id} cannot be cloned any more: its status has just changed.`;
  return new Fault('InvalidVolume', { volumeId: id, reason });
}

/** The key is the unit's second step. */
function isKeyTaken(error: unknown): boolean {
  return error instanceof UniqueViolation && error.step === 1;
}

/** COMMIT's answer was lost: the charge tells, if it can be read. */
async function whatWasCommitted(
  store: Store,
  reservation: Reservation,
  { record, message }: { readonly record: NewVolume; readonly message: CastMessage },
  cause: CommitUnknown,
): Promise<Entry> {
  const charge = await findSettlement(store, reservation.id).catch(() => undefined);
  if (!charge) throw new InDoubt(`it is not known whether ${record.id} was recorded`, record.id, { cause });
  return { volume: unplacedVolume(record, charge.createdAt), message };
}

function recordOf(context: RequestContext, request: CreateVolume, spec: VolumeSpec): NewVolume {
  const [zone, ...others] = spec.availabilityZones;
  return {
    id: timeOrderedId(),
    projectId: context.projectId,
    userId: context.userId,
    name: request.name,
    description: request.description,
    sizeGib: spec.sizeGib,
    status: 'creating',
    // Cinder writes the zone only when there is no choice left
    availabilityZone: others.length === 0 ? (zone ?? null) : null,
    volumeTypeId: spec.volumeType.id,
    snapshotId: null,
    sourceVolumeId: spec.source?.id ?? null,
    groupId: null,
    encryptionKeyId: null,
    bootable: spec.source?.bootable ?? false,
    multiattach: spec.multiattach,
    useQuota: true,
    metadata: request.metadata,
  };
}

/** What a scheduler would be asked for a request, without any record. */
export function requestSpecFor(context: RequestContext, request: CreateVolume, spec: VolumeSpec): RequestSpec {
  return requestSpecOf(recordOf(context, request, spec), spec);
}

/** Rule: cinder/volume/flows/api/create_volume.py, VolumeCastTask. */
function requestSpecOf(record: NewVolume, spec: VolumeSpec): RequestSpec {
  const backend = spec.source?.clusterName ?? spec.source?.host ?? null;
  return {
    volumeId: record.id,
    ...(spec.source && { sourceVolumeId: spec.source.id }),
    // a clone is made where its source is
    ...(backend !== null && { resourceBackend: backend }),
    volumeType: spec.volumeType,
    volumeProperties: {
      sizeGib: record.sizeGib,
      projectId: record.projectId,
      userId: record.userId,
      ...(record.name !== null && { name: record.name }),
      ...(record.description !== null && { description: record.description }),
      ...(record.availabilityZone !== null && { availabilityZone: record.availabilityZone }),
      volumeTypeId: record.volumeTypeId,
      status: record.status,
      attachStatus: 'detached',
      metadata: record.metadata,
      qosSpecs: new Map(),
      multiattach: record.multiattach,
    },
    availabilityZones: spec.availabilityZones,
  };
}
