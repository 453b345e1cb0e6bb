import type { VolumeStatus } from './volume-status.js';

/**
 * A volume: the record as the product thinks of it. Sizes in GiB, times in ms since 1970 (UTC). `null`: Cinder's null.
 * Rule: cinder/objects/volume.py.
 */
export interface Volume {
  readonly id: string;
  readonly projectId: string;
  readonly userId: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly sizeGib: number;
  readonly status: VolumeStatus;
  /** Why it is in its status, in a user's words. */
  readonly statusReason: string | null;
  readonly previousStatus: VolumeStatus | null;
  readonly attachStatus: AttachStatus;
  readonly migrationStatus: string | null;
  /** `host@backend#pool`; null until it is placed. */
  readonly host: string | null;
  readonly clusterName: string | null;
  readonly availabilityZone: string | null;
  readonly volumeTypeId: string;
  readonly snapshotId: string | null;
  readonly sourceVolumeId: string | null;
  readonly groupId: string | null;
  readonly encryptionKeyId: string | null;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  readonly useQuota: boolean;
  readonly replicationStatus: string | null;
  readonly nameId: string | null;
  readonly providerId: string | null;
  readonly providerLocation: string | null;
  readonly providerAuth: string | null;
  readonly serviceId: string | null;
  readonly sharedTargets: boolean | null;
  readonly metadata: ReadonlyMap<string, string>;
  /** Counts the changes of the record, from 1. */
  readonly revision: number;
  readonly scheduledAt: number | null;
  readonly launchedAt: number | null;
  readonly terminatedAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number | null;
}

export type AttachStatus = 'attached' | 'attaching' | 'detaching' | 'reserved' | 'detached';
