import type { Volume as WireVolume } from '../../gen/cinder/api/v3/volumes.js';
import { VolumeStatus as WireStatus } from '../../gen/cinder/api/v3/volumes.js';
import type { Volume } from '../../objects/volume.js';
import { VOLUME_STATUSES, type VolumeStatus } from '../../objects/volume-status.js';

/** `in-use` → `VOLUME_STATUS_IN_USE`: the names of the proto's values are made so. */
const STATUS_ON_THE_WIRE: ReadonlyMap<VolumeStatus, WireStatus> = new Map(
  VOLUME_STATUSES.map((status) => {
    const key = status.replaceAll('-', '_').toUpperCase() as keyof typeof WireStatus;
    return [status, WireStatus[key]];
  }),
);

const STATUS_FROM_THE_WIRE: ReadonlyMap<WireStatus, VolumeStatus> = new Map(
  [...STATUS_ON_THE_WIRE].map(([status, wire]) => [wire, status]),
);

/** The status that a value of the proto's enum stands for; undefined: none. */
export function statusOf(wire: WireStatus): VolumeStatus | undefined {
  return STATUS_FROM_THE_WIRE.get(wire);
}

/** A volume as the public API shows it; the server clears what the caller may not see. */
export function volumeView(volume: Volume): WireVolume {
  return {
    id: volume.id,
    projectId: volume.projectId,
    userId: volume.userId,
    name: volume.name ?? undefined,
    description: volume.description ?? undefined,
    size: volume.sizeGib,
    status: STATUS_ON_THE_WIRE.get(volume.status) ?? WireStatus.UNSPECIFIED,
    host: volume.host ?? undefined,
    availabilityZone: volume.availabilityZone ?? undefined,
    volumeTypeId: volume.volumeTypeId,
    snapshotId: volume.snapshotId ?? undefined,
    sourceVolumeId: volume.sourceVolumeId ?? undefined,
    bootable: volume.bootable,
    multiattach: volume.multiattach,
    metadata: volume.metadata as Map<string, string>,
    attachments: [],
    createdAt: date(volume.createdAt),
    updatedAt: date(volume.updatedAt),
    scheduledAt: date(volume.scheduledAt),
    launchedAt: date(volume.launchedAt),
    groupId: volume.groupId ?? undefined,
    encrypted: volume.encryptionKeyId !== null,
    statusReason: volume.statusReason ?? undefined,
    revision: volume.revision,
    replicationStatus: volume.replicationStatus ?? undefined,
    migrationStatus: volume.migrationStatus ?? undefined,
    clusterName: volume.clusterName ?? undefined,
    serviceUuid: volume.serviceId ?? undefined,
    providerId: volume.providerId ?? undefined,
    providerLocation: volume.providerLocation ?? undefined,
  };
}

function date(at: number | null): Date | undefined {
  return at === null ? undefined : new Date(at);
}
