import {
  type ResetVolumeStatusRequest,
  VolumesService,
  VolumeStatus as WireStatus,
} from '../gen/cinder/api/v3/volumes.js';
import { SETTLED, type VolumeStatus } from '../objects/volume-status.js';
import { keyOfRequest } from './idempotency-key.js';
import type { IdempotencyKey } from './requests.js';
import { Violations } from './validation.js';
import { statusOf } from './views/volume-view.js';

/** A well-formed ResetVolumeStatus. */
export interface ResetVolumeStatus {
  readonly volumeId: string;
  readonly status?: VolumeStatus | undefined;
  readonly attachStatus?: 'attached' | 'detached' | undefined;
  /** null: `none`. */
  readonly migrationStatus?: string | null | undefined;
  readonly reason: string;
  readonly idempotency: IdempotencyKey | undefined;
}

/** Rule: cinder/objects/fields.py, VolumeMigrationStatus. */
const MIGRATION_STATUSES = ['starting', 'migrating', 'completing', 'success', 'error', 'none'];

/** Reads a ResetVolumeStatus. Throws InvalidInput with every bad field. */
export function readResetVolumeStatus(request: ResetVolumeStatusRequest): ResetVolumeStatus {
  const { volumeId, attachStatus, migrationStatus } = request;
  const reason = request.reason.trim(); // white space is no reason
  const bad = new Violations();
  bad.uuid('volume_id', volumeId);
  const isNamed = request.status !== WireStatus.UNSPECIFIED;
  const status = isNamed ? statusOf(request.status) : undefined;
  if (isNamed && (status === undefined || !SETTLED.includes(status))) {
    bad.add('status', `must be one of ${SETTLED.join(', ')}: in every other one somebody would have to be at work`);
  }
  if (attachStatus !== undefined && !isAttachStatus(attachStatus)) {
    bad.add('attach_status', 'must be attached or detached');
  }
  if (migrationStatus !== undefined && !MIGRATION_STATUSES.includes(migrationStatus)) {
    bad.add('migration_status', `must be one of ${MIGRATION_STATUSES.join(', ')}`);
  }
  if (!isNamed && attachStatus === undefined && migrationStatus === undefined) {
    bad.add('status', 'must be given, or attach_status, or migration_status');
  }
  bad.text('reason', reason, 1, 255);
  const idempotency = keyOfRequest(VolumesService.resetVolumeStatus, request, bad);
  bad.check();
  return {
    ...{ volumeId, status, reason, idempotency },
    attachStatus: attachStatus !== undefined && isAttachStatus(attachStatus) ? attachStatus : undefined,
    migrationStatus: migrationStatus === 'none' ? null : migrationStatus,
  };
}

function isAttachStatus(word: string): word is 'attached' | 'detached' {
  return word === 'attached' || word === 'detached';
}
