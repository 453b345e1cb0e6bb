import type {
  FilterProperties as WireFilterProperties,
  RequestSpec as WireRequestSpec,
} from '../gen/cinder/objects/v1/request_spec.js';
import { VolumeProperties as WireVolumeProperties } from '../gen/cinder/objects/v1/request_spec.js';
import type { Volume as WireVolume, VolumeType as WireVolumeType } from '../gen/cinder/objects/v1/volume.js';
import type { FilterProperties, RequestSpec, VolumeProperties } from '../objects/request-spec.js';
import type { AttachStatus, Volume } from '../objects/volume.js';
import type { VolumeStatus } from '../objects/volume-status.js';
import { TEMPORARY } from './object-forms.js';
import type { VolumeType } from '../objects/volume-type.js';

/** Domain objects as they travel between the services: null is absent, ms are timestamps. */

export function volumeToWire(volume: Volume): WireVolume {
  return {
    id: volume.id,
    projectId: volume.projectId,
    userId: volume.userId,
    size: volume.sizeGib,
    status: volume.status,
    displayName: volume.name ?? undefined,
    displayDescription: volume.description ?? undefined,
    host: volume.host ?? undefined,
    clusterName: volume.clusterName ?? undefined,
    availabilityZone: volume.availabilityZone ?? undefined,
    volumeTypeId: volume.volumeTypeId,
    snapshotId: volume.snapshotId ?? undefined,
    sourceVolid: volume.sourceVolumeId ?? undefined,
    groupId: volume.groupId ?? undefined,
    encryptionKeyId: volume.encryptionKeyId ?? undefined,
    bootable: volume.bootable,
    multiattach: volume.multiattach,
    attachStatus: volume.attachStatus,
    migrationStatus: volume.migrationStatus ?? undefined,
    previousStatus: volume.previousStatus ?? undefined,
    replicationStatus: volume.replicationStatus ?? undefined,
    nameId: volume.nameId ?? undefined,
    providerId: volume.providerId ?? undefined,
    providerLocation: volume.providerLocation ?? undefined,
    providerAuth: volume.providerAuth ?? undefined,
    metadata: new Map(volume.metadata),
    adminMetadata: new Map(),
    glanceMetadata: new Map(),
    volumeAttachment: [],
    scheduledAt: date(volume.scheduledAt),
    launchedAt: date(volume.launchedAt),
    terminatedAt: date(volume.terminatedAt),
    createdAt: date(volume.createdAt || null),
    updatedAt: date(volume.updatedAt || null),
    serviceUuid: volume.serviceId ?? undefined,
    sharedTargets: volume.sharedTargets ?? undefined,
    useQuota: volume.useQuota,
  };
}

export function volumeFromWire(wire: WireVolume): Volume {
  return {
    id: wire.id,
    projectId: wire.projectId,
    userId: wire.userId,
    sizeGib: wire.size,
    status: wire.status as VolumeStatus,
    statusReason: null,
    name: wire.displayName ?? null,
    description: wire.displayDescription ?? null,
    host: wire.host ?? null,
    clusterName: wire.clusterName ?? null,
    availabilityZone: wire.availabilityZone ?? null,
    volumeTypeId: wire.volumeTypeId ?? '',
    snapshotId: wire.snapshotId ?? null,
    sourceVolumeId: wire.sourceVolid ?? null,
    groupId: wire.groupId ?? null,
    encryptionKeyId: wire.encryptionKeyId ?? null,
    bootable: wire.bootable,
    multiattach: wire.multiattach,
    // before 1.9 it was an administrator's note
    useQuota: wire.useQuota ?? wire.adminMetadata.get(TEMPORARY) !== 'True',
    attachStatus: wire.attachStatus as AttachStatus,
    migrationStatus: wire.migrationStatus ?? null,
    previousStatus: (wire.previousStatus ?? null) as VolumeStatus | null,
    replicationStatus: wire.replicationStatus ?? null,
    nameId: wire.nameId ?? null,
    providerId: wire.providerId ?? null,
    providerLocation: wire.providerLocation ?? null,
    providerAuth: wire.providerAuth ?? null,
    serviceId: wire.serviceUuid ?? null,
    sharedTargets: wire.sharedTargets ?? null,
    metadata: wire.metadata,
    revision: 0,
    scheduledAt: ms(wire.scheduledAt),
    launchedAt: ms(wire.launchedAt),
    terminatedAt: ms(wire.terminatedAt),
    createdAt: ms(wire.createdAt) ?? 0,
    updatedAt: ms(wire.updatedAt) ?? 0,
    deletedAt: null,
  };
}

export function requestSpecToWire(spec: RequestSpec): WireRequestSpec {
  return {
    volumeId: spec.volumeId,
    snapshotId: spec.snapshotId,
    sourceVolid: spec.sourceVolumeId,
    imageId: spec.imageId,
    groupId: spec.groupId,
    backupId: spec.backupId,
    volumeType: spec.volumeType && volumeTypeToWire(spec.volumeType),
    volumeProperties: volumePropertiesToWire(spec.volumeProperties),
    resourceBackend: spec.resourceBackend,
    operation: spec.operation,
    availabilityZones: [...spec.availabilityZones],
  };
}

export function requestSpecFromWire(wire: WireRequestSpec): RequestSpec {
  return {
    volumeProperties: volumePropertiesFromWire(wire.volumeProperties ?? WireVolumeProperties.create()),
    availabilityZones: wire.availabilityZones,
    ...(wire.volumeId !== undefined && { volumeId: wire.volumeId }),
    ...(wire.snapshotId !== undefined && { snapshotId: wire.snapshotId }),
    ...(wire.sourceVolid !== undefined && { sourceVolumeId: wire.sourceVolid }),
    ...(wire.imageId !== undefined && { imageId: wire.imageId }),
    ...(wire.groupId !== undefined && { groupId: wire.groupId }),
    ...(wire.backupId !== undefined && { backupId: wire.backupId }),
    ...(wire.volumeType && { volumeType: volumeTypeFromWire(wire.volumeType) }),
    ...(wire.resourceBackend !== undefined && { resourceBackend: wire.resourceBackend }),
    ...(wire.operation !== undefined && { operation: wire.operation }),
  };
}

export function filterPropertiesToWire(properties: FilterProperties): WireFilterProperties {
  return {
    schedulerHints: new Map(properties.schedulerHints),
    retry: properties.retry && {
      numAttempts: properties.retry.numAttempts,
      backends: [...properties.retry.backends],
      exc: [...properties.retry.exc],
    },
  };
}

export function filterPropertiesFromWire(wire: WireFilterProperties): FilterProperties {
  return { schedulerHints: wire.schedulerHints, ...(wire.retry && { retry: wire.retry }) };
}

function volumeTypeToWire(type: VolumeType): WireVolumeType {
  return {
    id: type.id,
    name: type.name,
    description: type.description ?? undefined,
    isPublic: type.isPublic,
    extraSpecs: new Map(type.extraSpecs),
    qosSpecsId: type.qosSpecsId ?? undefined,
    projects: [],
  };
}

function volumeTypeFromWire(wire: WireVolumeType): VolumeType {
  return {
    id: wire.id,
    name: wire.name,
    description: wire.description ?? null,
    isPublic: wire.isPublic,
    extraSpecs: wire.extraSpecs,
    qosSpecsId: wire.qosSpecsId ?? null,
  };
}

function volumePropertiesToWire(properties: VolumeProperties): WireVolumeProperties {
  return {
    size: properties.sizeGib,
    projectId: properties.projectId,
    userId: properties.userId,
    displayName: properties.name,
    displayDescription: properties.description,
    availabilityZone: properties.availabilityZone,
    volumeTypeId: properties.volumeTypeId,
    status: properties.status,
    attachStatus: properties.attachStatus,
    metadata: new Map(properties.metadata),
    qosSpecs: new Map(properties.qosSpecs),
    multiattach: properties.multiattach,
    reservations: [],
  };
}

function volumePropertiesFromWire(wire: WireVolumeProperties): VolumeProperties {
  return {
    sizeGib: wire.size,
    ...(wire.projectId !== undefined && { projectId: wire.projectId }),
    ...(wire.userId !== undefined && { userId: wire.userId }),
    ...(wire.displayName !== undefined && { name: wire.displayName }),
    ...(wire.displayDescription !== undefined && { description: wire.displayDescription }),
    ...(wire.availabilityZone !== undefined && { availabilityZone: wire.availabilityZone }),
    ...(wire.volumeTypeId !== undefined && { volumeTypeId: wire.volumeTypeId }),
    ...(wire.status !== undefined && { status: wire.status }),
    ...(wire.attachStatus !== undefined && { attachStatus: wire.attachStatus }),
    metadata: wire.metadata,
    qosSpecs: wire.qosSpecs,
    multiattach: wire.multiattach,
  };
}

function date(at: number | null): Date | undefined {
  return at === null ? undefined : new Date(at);
}

function ms(at: Date | undefined): number | null {
  return at?.getTime() ?? null;
}
