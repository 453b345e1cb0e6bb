import type { Volume } from '../../gen/cinder/api/v3/volumes.js';
import type { Row } from '../output.js';
import { statusWord } from '../volume-status.js';

/** Columns of `volume list`, as OpenStack's client names them. */
export const LIST_COLUMNS = ['ID', 'Name', 'Status', 'Size', 'Attached to'] as const;
/** With `--long`. */
export const LONG_COLUMNS = ['ID', 'Name', 'Status', 'Size', 'Type', 'Bootable', 'Attached to', 'Properties'] as const;
/** What `-c` may ask for beside them. */
export const MORE_COLUMNS = [
  ...LONG_COLUMNS,
  ...['Description', 'Availability Zone', 'Project ID', 'User ID', 'Host', 'Created At', 'Updated At'],
] as const;

/** A row of `volume list`. `typeName`: of its type's id. */
export function volumeRow(volume: Volume, typeName: (typeId: string) => string): Row {
  return {
    ID: volume.id,
    Name: volume.name,
    Status: statusWord(volume.status),
    Size: volume.size,
    Type: typeName(volume.volumeTypeId),
    Bootable: volume.bootable,
    'Attached to': volume.attachments.map(({ instanceId, attachedHost, mountpoint }) =>
      [instanceId ?? attachedHost, mountpoint].filter((part) => part !== undefined).join(' on '),
    ),
    Properties: Object.fromEntries(volume.metadata),
    Description: volume.description,
    'Availability Zone': volume.availabilityZone,
    'Project ID': volume.projectId,
    'User ID': volume.userId,
    Host: volume.host,
    'Created At': volume.createdAt,
    'Updated At': volume.updatedAt,
  };
}

/** The fields of `volume show`, in the order of the alphabet; those only administrators see appear when they are there. */
export function volumeRecord(volume: Volume, typeName: string): Row {
  const { metadata, status, attachments, sourceVolumeId, ...rest } = volume;
  const fields = {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [snakeCase(name), value])),
    attachments: attachments.map((attachment) => withoutUndefined(attachment)),
    properties: Object.fromEntries(metadata),
    status: statusWord(status),
    type: typeName,
    source_volid: sourceVolumeId,
  };
  const shown = Object.entries(fields).filter(
    // the type is shown by its name
    ([name, value]) => name !== 'volume_type_id' && (value !== undefined || !ADMIN_FIELDS.includes(name)),
  );
  return Object.fromEntries(shown.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const ADMIN_FIELDS = ['host', 'migration_status', 'cluster_name', 'service_uuid', 'provider_id', 'provider_location'];

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}
