import { appendVolumeEvent } from '../db/events.js';
import { RowCountMismatch, type Step, type Store } from '../db/store.js';
import { changeVolume as changeRecord, type VolumeChange } from '../db/volume-updates.js';
import { readVolume, rereadVolume } from '../db/volumes.js';
import { Fault } from '../errors/fault.js';
import { isAdmin, type RequestContext } from '../objects/request-context.js';
import type { Volume } from '../objects/volume.js';
import type { VolumeStatus } from '../objects/volume-status.js';
import { idempotent } from './idempotent.js';
import type { IdempotencyKey } from './requests.js';
import type { Violations } from './validation.js';
import { visibleVolume } from './visible-volume.js';

/** A change of a volume's record that no backend needs to know of. */
export interface RecordChange {
  readonly volumeId: string;
  /** That the caller knows; absent: any. */
  readonly revision?: number | undefined;
  readonly idempotency: IdempotencyKey | undefined;
  /** Of the event, e.g. `volume.update.end`. */
  readonly event: string;
  /** Statuses in which it is refused. */
  readonly notIn: readonly VolumeStatus[];
  readonly values?: VolumeChange | undefined;
  readonly metadata?: readonly MetadataStep[];
}

/** A step that touches another number of rows than it must when the request is at fault. */
export interface MetadataStep {
  readonly step: Step;
  /** What to answer then. @default that cannot be */
  readonly refusal?: (volume: Volume) => Fault | undefined;
}

/** How often a change is tried whose refusal had no reason any more when it was looked for. */
const ATTEMPTS = 3;

/**
 * Changes a volume in one unit: the record if it is as it must be, its metadata, the event that watchers see, the caller's key.
 * Answers the volume as the unit left it; for a repeated key as it is now. Throws VolumeNotFound, InvalidVolume,
 * RevisionMismatch, IdempotencyKeyReused, and what the metadata's steps say.
 */
export async function changeVolume(store: Store, context: RequestContext, change: RecordChange): Promise<Volume> {
  const { volumeId, revision, idempotency, notIn, event: type, values, metadata = [] } = change;
  const record = {
    ...{ id: volumeId, notIn },
    ...(!isAdmin(context) && { projectId: context.projectId }),
    ...(revision !== undefined && { revision }),
  };
  const steps = [changeRecord(record, values), ...metadata.map(({ step }) => step)];
  const event = appendVolumeEvent({ volumeId, type, requestId: context.requestId });
  return idempotent(
    { store, context, idempotency },
    async (take) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const done = await store.apply([...steps, event, ...take(volumeId), rereadVolume(volumeId)]);
          return readVolume(done.at(-1));
        } catch (error) {
          if (!(error instanceof RowCountMismatch)) throw error;
          const volume = await visibleVolume(store, context, volumeId);
          const refusal = refusalOf(change, volume) ?? metadata[error.step - 1]?.refusal?.(volume);
          if (refusal) throw refusal;
          if (attempt === ATTEMPTS) throw invalidVolume(volumeId, 'it is being changed by others; try again.');
        }
      }
    },
    () => visibleVolume(store, context, volumeId),
  );
}

/** Why the record cannot be changed as it is now; undefined: it can. */
function refusalOf(
  { volumeId, revision, notIn }: RecordChange,
  { status, revision: actual }: Volume,
): Fault | undefined {
  if (notIn.includes(status)) {
    return invalidVolume(volumeId, `its status must not be ${notIn.join(' or ')}; it is ${status}.`);
  }
  if (revision === undefined || revision === actual) return undefined;
  return new Fault('RevisionMismatch', { volumeId, expected: revision, actual });
}

function invalidVolume(volumeId: string, why: string): Fault {
  return new Fault('InvalidVolume', { volumeId, reason: `Volume ${volumeId} cannot be changed: ${why}` });
}

/** The revision that a caller knows: they count from 1. */
export function checkRevision(revision: number | undefined, bad: Violations): void {
  if (revision !== undefined && revision < 1) bad.add('revision', 'must be at least 1');
}
