import { type RawBuilder, sql } from 'kysely';
import type { AttachStatus, Volume } from '../objects/volume.js';
import type { VolumeStatus } from '../objects/volume-status.js';
import { fromPairs, type Pairs, pairsOf } from './json.js';
import type { VolumesTable } from './schema.js';
import type { DialectName } from './statement.js';

/** The columns that make a `Volume`, in the table's order. */
export const VOLUME_COLUMNS = [
  ...(['id', 'project_id', 'user_id', 'use_quota', 'name', 'description', 'size'] as const),
  ...(['status', 'status_reason', 'previous_status', 'attach_status', 'migration_status'] as const),
  ...(['host', 'cluster_name', 'availability_zone', 'volume_type_id', 'snapshot_id', 'source_volume_id'] as const),
  ...(['group_id', 'encryption_key_id', 'bootable', 'multiattach', 'replication_status', 'name_id'] as const),
  ...(['provider_id', 'provider_location', 'provider_auth', 'service_id', 'shared_targets', 'revision'] as const),
  ...(['scheduled_at', 'launched_at', 'terminated_at', 'created_at', 'updated_at', 'deleted_at'] as const),
] as const satisfies readonly (keyof VolumesTable)[];

/** A row of `volumes` without what no volume shows. */
export type VolumeColumns = Pick<VolumesTable, (typeof VOLUME_COLUMNS)[number]>;

/** A row of `volumes` with its metadata as JSON pairs. */
export type VolumeRow = VolumeColumns & { readonly metadata: string };

/** A row as an event keeps it: without secrets; with how far long work was, percent. */
type VolumePayload = PublicColumns & { readonly metadata: Pairs; readonly progress_percent?: number };
type PublicColumns = Omit<VolumeColumns, Secret>;
type Secret = 'provider_auth';

const EVENT_COLUMNS = VOLUME_COLUMNS.filter((column) => column !== ('provider_auth' satisfies Secret));

/** The metadata of the row of `volumes` at hand, as a column of JSON pairs. */
export function metadataColumn(dialect: DialectName): RawBuilder<string> {
  return pairsOf(
    dialect,
    sql`select key, value from volume_metadata where volume_metadata.volume_id = volumes.id order by key`,
  );
}

/** The row of `volumes` at hand as the JSON of a `VolumePayload`. `progressPercent`: a statement's parameter. */
export function payloadColumn(dialect: DialectName, progressPercent?: number): RawBuilder<string> {
  const columns = EVENT_COLUMNS.map((column) => sql`${sql.lit(column)}, ${sql.ref(`volumes.${column}`)}`);
  const progress = progressPercent === undefined ? [] : [sql`'progress_percent', cast(${progressPercent} as integer)`];
  const fields = sql.join([...columns, ...progress]);
  return dialect === 'sqlite'
    ? sql`json_object(${fields}, 'metadata', json(${metadataColumn(dialect)}))`
    : sql`json_build_object(${fields}, 'metadata', ${metadataColumn(dialect)}::json)::text`;
}

export function volumeOf(row: VolumeRow): Volume {
  return toVolume(row, fromPairs(row.metadata), row.provider_auth);
}

/** What an event says of its volume. */
export interface PayloadChange {
  /** Without `providerAuth`. */
  readonly volume: Volume;
  /** How far long work was. */
  readonly progressPercent?: number;
}

/** What an event's payload says; undefined for one that somebody broke. */
export function changeOfPayload(payload: string): PayloadChange | undefined {
  const kept = payloadIn(payload);
  if (!kept) return undefined;
  const { metadata, progress_percent: progressPercent } = kept;
  const volume = toVolume(kept, new Map(metadata), null);
  return progressPercent === undefined ? { volume } : { volume, progressPercent };
}

function payloadIn(text: string): VolumePayload | undefined {
  try {
    const value = JSON.parse(text) as VolumePayload | null;
    return value && isShowable(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a volume can be shown: it has what every volume has. */
function isShowable(value: Readonly<Partial<VolumePayload>>): boolean {
  return (
    REQUIRED_TEXTS.every((column) => typeof value[column] === 'string') &&
    REQUIRED_NUMBERS.every((column) => Number.isSafeInteger(value[column])) &&
    Array.isArray(value.metadata)
  );
}

const REQUIRED_TEXTS = ['id', 'project_id', 'user_id', 'status', 'attach_status', 'volume_type_id'] as const;
const REQUIRED_NUMBERS = ['size', 'revision', 'created_at', 'updated_at'] as const;

/** The volume that a row and its metadata are. */
export function toVolume(
  row: PublicColumns,
  metadata: ReadonlyMap<string, string>,
  providerAuth: string | null,
): Volume {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    description: row.description,
    sizeGib: row.size,
    status: row.status as VolumeStatus,
    statusReason: row.status_reason,
    previousStatus: row.previous_status as VolumeStatus | null,
    attachStatus: row.attach_status as AttachStatus,
    migrationStatus: row.migration_status,
    host: row.host,
    clusterName: row.cluster_name,
    availabilityZone: row.availability_zone,
    volumeTypeId: row.volume_type_id,
    snapshotId: row.snapshot_id,
    sourceVolumeId: row.source_volume_id,
    groupId: row.group_id,
    encryptionKeyId: row.encryption_key_id,
    bootable: row.bootable === 1,
    multiattach: row.multiattach === 1,
    useQuota: row.use_quota === 1,
    replicationStatus: row.replication_status,
    nameId: row.name_id,
    providerId: row.provider_id,
    providerLocation: row.provider_location,
    providerAuth,
    serviceId: row.service_id,
    sharedTargets: row.shared_targets === null ? null : row.shared_targets === 1,
    metadata,
    revision: row.revision,
    scheduledAt: row.scheduled_at,
    launchedAt: row.launched_at,
    terminatedAt: row.terminated_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at,
  };
}

/** What ids of records, numbers, times and lengths take at most. */
const FIXED_BYTES = 768;
/** The texts that may be long. */
const TEXTS = [
  ...(['project_id', 'user_id', 'name', 'description', 'status_reason', 'host', 'cluster_name'] as const),
  ...(['availability_zone', 'provider_id', 'provider_location'] as const),
] as const;

/** No character of a string takes more in UTF-8; to count them exactly costs as much as to read the row. */
const BYTES_A_CHARACTER = 3;

/** At most how long a volume without its metadata is when it is encoded for a caller. */
export function maxEncodedBytes(row: VolumeColumns): number {
  let characters = 0;
  for (const column of TEXTS) characters += row[column]?.length ?? 0;
  return FIXED_BYTES + BYTES_A_CHARACTER * characters;
}
