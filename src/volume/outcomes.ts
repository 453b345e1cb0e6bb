import { type Claim, finish, handOver } from '../casts/claim.js';
import { failVolume, type MessageParts } from '../casts/fail-volume.js';
import { reasonForOwner } from '../casts/reason-for-owner.js';
import { appendVolumeEvent, appendVolumeProgress, deleteCreationProgress } from '../db/events.js';
import { insertRelease, type NewSettlement } from '../db/quota-settlements.js';
import type { Step } from '../db/store.js';
import { transition, unplaceVolume } from '../db/volume-transitions.js';
import type { CastMessage } from '../db/worker-row.js';
import type { FaultName } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import { detailByName, type MessageDetail } from '../objects/user-message.js';
import type { Volume } from '../objects/volume.js';
import { volumeAmounts } from '../quota/resources.js';

/** What is written when work begins, goes elsewhere or ends: each the steps of one fenced transaction. */

/** Amounts to be given back to a project. */
export type Release = NewSettlement;

/** What the finished record says beside its status. */
export interface Made {
  /** Undefined: not registered yet. */
  readonly serviceId: string | undefined;
  readonly sharedTargets: boolean;
  /** Whether it was long work, whose progress watchers may have seen. */
  readonly wasLong: boolean;
}

export function workBegun(claim: Claim, action: 'create.start' | 'delete.start'): readonly Step[] {
  return [event(claim, action)];
}

/** Rule: docs/protocols.md §W FINISH. */
export function volumeCreated(claim: Claim, made: Made): readonly Step[] {
  const { serviceId, sharedTargets, wasLong } = made;
  const known = serviceId === undefined ? { sharedTargets } : { serviceId, sharedTargets };
  return [
    transition('finishCreate', { id: claim.resourceId, ...known }),
    ...(wasLong ? [forgetProgress(claim), progress(claim, 'create.end', 100)] : [event(claim, 'create.end')]),
    finish(claim),
  ];
}

/** How far the making of a volume is, 0 to 99 percent. Rule: docs/adr/0008-progress-is-events.md. */
export function creationGoesOn(claim: Claim, percent: number): readonly Step[] {
  return [progress(claim, 'create.progress', percent)];
}

/** Rule: docs/protocols.md §W RESCHEDULE. */
export function creationRescheduled(claim: Claim, message: CastMessage): readonly Step[] {
  return [
    ...unplaceVolume(claim.resourceId),
    forgetProgress(claim),
    event(claim, 'create.reschedule'),
    handOver(claim, { status: 'creating', target: null, message }),
  ];
}

/** The record goes and its amounts are written down. `graceMs`: see `insertRelease`. Rule: docs/protocols.md §W DELETE. */
export function volumeDeleted(claim: Claim, release: Release | null, graceMs: number): readonly Step[] {
  return [
    transition('finishDelete', { id: claim.resourceId }),
    event(claim, 'delete.end'),
    ...(release ? [insertRelease(release, graceMs)] : []),
    finish(claim),
  ];
}

/** What the engine writes when a creation is given up; it adds the fence and ends the row. */
export function creationFailed(parts: MessageParts, claim: Claim, error: unknown): readonly Step[] {
  const detail = detailOf(error, 'DRIVER_FAILED_CREATE');
  const failure = { work: 'create', action: 'CREATE_VOLUME_FROM_BACKEND', detail } as const;
  return [
    forgetProgress(claim),
    ...failVolume(parts, claim, { ...failure, reason: reasonForOwner(claim.context, error, FOR_OWNERS) }),
  ];
}

/** What the engine writes when a deletion is given up; it adds the fence and ends the row. */
export function deletionFailed(parts: MessageParts, claim: Claim, error: unknown): readonly Step[] {
  const detail = detailOf(error, 'DRIVER_FAILED_DELETE');
  const failure = { work: 'delete', action: 'DELETE_VOLUME', detail } as const;
  return failVolume(parts, claim, { ...failure, reason: reasonForOwner(claim.context, error, FOR_OWNERS) });
}

/** What a project gets back for a volume; `id` is the release's own. */
export function releaseOf(volume: Volume, id: string): Release {
  return {
    id,
    projectId: volume.projectId,
    deltas: volumeAmounts(volume),
    resourceType: 'Volume',
    resourceId: volume.id,
  };
}

function event({ resourceId, context }: Claim, action: string): Step {
  return appendVolumeEvent({ volumeId: resourceId, type: `volume.${action}`, requestId: context.requestId });
}

function progress({ resourceId, context }: Claim, action: string, percent: number): Step {
  const type = `volume.${action}`;
  return appendVolumeProgress({ volumeId: resourceId, type, requestId: context.requestId, percent });
}

/** How far it once was is of no use when it has ended. */
function forgetProgress({ resourceId }: Claim): Step {
  return deleteCreationProgress(resourceId);
}

/** Faults whose words are for owners. */
const FOR_OWNERS: ReadonlySet<FaultName> = new Set(['InvalidVolume', 'VolumeNotFound', 'NotBuilt']);

/** What the error stands for by its name, else that the driver failed, else nothing in particular. */
function detailOf(error: unknown, driverFailed: MessageDetail): MessageDetail {
  return detailByName(error) ?? (Fault.is(error, 'VolumeBackendAPIException') ? driverFailed : 'UNKNOWN_ERROR');
}
