import { VolumeStatus, type Volume } from '../gen/cinder/api/v3/volumes.js';
import { VOLUME_STATUSES } from '../objects/volume-status.js';
import type { Row } from './output.js';

/** Columns of `volume list`, as OpenStack's client names them. */
export const LIST_COLUMNS = ['ID', 'Name', 'Status', 'Size', 'Attached to'] as const;
/** With `--long`. */
export const LONG_COLUMNS = ['ID', 'Name', 'Status', 'Size', 'Type', 'Bootable', 'Attached to', 'Properties'] as const;

const WORDS: ReadonlyMap<string, string> = new Map(
  VOLUME_STATUSES.map((word) => [`VOLUME_STATUS_${word.replaceAll('-', '_').toUpperCase()}`, word]),
);

/** Cinder's word for a status, e.g. `in-use`. */
export function statusWord(status: VolumeStatus): string {
  return WORDS.get(status) ?? (status === VolumeStatus.UNRECOGNIZED ? 'unknown to this client' : status);
}

/** A row of `volume list`. */
export function volumeRow(volume: Volume): Row {
  return {
    ID: volume.id,
    Name: volume.name,
    Status: statusWord(volume.status),
    Size: volume.size,
    Type: volume.volumeTypeId,
    Bootable: volume.bootable,
    'Attached to': volume.attachments.map(({ instanceId, attachedHost, mountpoint }) =>
      [instanceId ?? attachedHost, mountpoint].filter((part) => part !== undefined).join(' on '),
    ),
    Properties: Object.fromEntries(volume.metadata),
  };
}

/** The fields of `volume show`, in the order of the alphabet; those only administrators see appear when they are there. */
export function volumeRecord(volume: Volume): Row {
  const { metadata, status, attachments, volumeTypeId, sourceVolumeId, ...rest } = volume;
  const fields = {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [snakeCase(name), value])),
    attachments: attachments.map((attachment) => withoutUndefined(attachment)),
    properties: Object.fromEntries(metadata),
    status: statusWord(status),
    type: volumeTypeId,
    source_volid: sourceVolumeId,
  };
  const shown = Object.entries(fields).filter(([name, value]) => value !== undefined || !ADMIN_FIELDS.includes(name));
  return Object.fromEntries(shown.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const ADMIN_FIELDS = ['host', 'migration_status', 'cluster_name', 'service_uuid', 'provider_id', 'provider_location'];

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}
