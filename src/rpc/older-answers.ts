import { Snapshot } from '../gen/cinder/objects/v1/snapshot.js';
import { Volume } from '../gen/cinder/objects/v1/volume.js';
import type { BackupDeviceInfo } from '../gen/cinder/objects/v1/backup_device_info.js';
import type { ManageableSnapshot, ManageableVolume } from '../gen/cinder/objects/v1/manageable_resources.js';

/** Answers of before there were objects: what Cinder calls dicts, by its names. */
type Dict = Readonly<Record<string, unknown>>;

/** What a backup is read from, as peers below 3.2 say it. Rule: cinder/objects/backup.py, `BackupDeviceInfo.from_primitive`. */
export function backupDeviceFromDict(dict: Dict): BackupDeviceInfo {
  const device = dictIn(dict, 'backup_device');
  const secureEnabled = dict['secure_enabled'] === true;
  return dict['is_snapshot'] === true
    ? { snapshot: snapshotFromDict(device), secureEnabled }
    : { volume: volumeFromDict(device), secureEnabled };
}

/** A volume of a backend, as peers below 3.10 say it. Rule: cinder/objects/manageableresources.py, `from_primitives`. */
export function manageableVolumeFromDict(dict: Dict): ManageableVolume {
  return {
    reference: texts(dictIn(dict, 'reference')),
    size: numberIn(dict, 'size'),
    safeToManage: dict['safe_to_manage'] === true,
    reasonNotSafe: textIn(dict, 'reason_not_safe'),
    cinderId: textIn(dict, 'cinder_id'),
    extraInfo: extraInfoIn(dict),
  };
}

/** A snapshot of a backend, as peers below 3.10 say it. Rule: as of volumes. */
export function manageableSnapshotFromDict(dict: Dict): ManageableSnapshot {
  return { ...manageableVolumeFromDict(dict), sourceReference: texts(dictIn(dict, 'source_reference')) };
}

const MANAGEABLE: ReadonlySet<string> = new Set([
  ...['reference', 'size', 'safe_to_manage', 'reason_not_safe', 'cinder_id', 'extra_info', 'source_reference'],
]);

/** What the driver says beside the names that everybody knows is kept too; Cinder keeps one of them. */
function extraInfoIn(dict: Dict): Map<string, string> {
  const others = Object.entries(dict).filter(([key]) => !MANAGEABLE.has(key));
  return texts({ ...Object.fromEntries(others), ...dictIn(dict, 'extra_info') });
}

/** What is read of the record of a volume: what it is, and where its data are. */
function volumeFromDict(dict: Dict): Volume {
  return {
    ...Volume.create(),
    ...columnsOfBoth(dict),
    size: numberIn(dict, 'size') ?? 0,
    host: textIn(dict, 'host'),
    clusterName: textIn(dict, 'cluster_name'),
    availabilityZone: textIn(dict, 'availability_zone'),
    snapshotId: textIn(dict, 'snapshot_id'),
    sourceVolid: textIn(dict, 'source_volid'),
    groupId: textIn(dict, 'group_id'),
    bootable: dict['bootable'] === true,
    multiattach: dict['multiattach'] === true,
    attachStatus: textIn(dict, 'attach_status') ?? '',
    migrationStatus: textIn(dict, 'migration_status'),
    previousStatus: textIn(dict, 'previous_status'),
    nameId: textIn(dict, '_name_id'),
    serviceUuid: textIn(dict, 'service_uuid'),
  };
}

function snapshotFromDict(dict: Dict): Snapshot {
  return {
    ...Snapshot.create(),
    ...columnsOfBoth(dict),
    volumeId: textIn(dict, 'volume_id') ?? '',
    volumeSize: numberIn(dict, 'volume_size') ?? 0,
    groupSnapshotId: textIn(dict, 'group_snapshot_id'),
    progress: textIn(dict, 'progress'),
  };
}

function columnsOfBoth(dict: Dict): Pick<Volume & Snapshot, keyof Volume & keyof Snapshot> {
  return {
    id: textIn(dict, 'id') ?? '',
    projectId: textIn(dict, 'project_id') ?? '',
    userId: textIn(dict, 'user_id') ?? '',
    status: textIn(dict, 'status') ?? '',
    displayName: textIn(dict, 'display_name'),
    displayDescription: textIn(dict, 'display_description'),
    volumeTypeId: textIn(dict, 'volume_type_id'),
    encryptionKeyId: textIn(dict, 'encryption_key_id'),
    providerId: textIn(dict, 'provider_id'),
    providerLocation: textIn(dict, 'provider_location'),
    providerAuth: textIn(dict, 'provider_auth'),
    // absent: it counts
    useQuota: dict['use_quota'] === false ? false : undefined,
    metadata: texts(dictIn(dict, 'metadata')),
  };
}

function textIn(dict: Dict, key: string): string | undefined {
  const value = dict[key];
  return typeof value === 'string' ? value : undefined;
}

function numberIn(dict: Dict, key: string): number | undefined {
  const value = dict[key];
  return typeof value === 'number' ? value : undefined;
}

function dictIn(dict: Dict, key: string): Dict {
  const value = dict[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Dict) : {};
}

/** Values that are no text are kept as JSON; null and none are none. */
function texts(dict: Dict): Map<string, string> {
  const known = Object.entries(dict).filter(([, value]) => value !== null && value !== undefined);
  return new Map(known.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));
}
