import type { ColumnType, Generated } from 'kysely';

/**
 * The tables. Times are ms since 1970 by the database's clock, sizes GiB, ids lower-case UUIDs; booleans are 0 and 1,
 * because SQLite has no other. What is said of a column here is not repeated in the migrations.
 */
export interface Schema {
  volumes: VolumesTable;
  volume_metadata: { volume_id: string; key: string; value: string };
  volume_types: VolumeTypesTable;
  volume_type_extra_specs: { volume_type_id: string; position: number; key: string; value: string };
  volume_type_access: { volume_type_id: string; project_id: string };
  default_volume_types: { project_id: string; volume_type_id: string };
  services: ServicesTable;
  processes: ProcessesTable;
  workers: WorkersTable;
  quota_limits: { project_id: string; resource: string; hard_limit: number | null };
  quota_classes: { class_name: string; resource: string; hard_limit: number | null };
  quota_settlements: QuotaSettlementsTable;
  /** Every project whose sums were ever put into Redis. `checked_at`: when they were last known to be right. */
  quota_projects: { project_id: string; checked_at: number };
  snapshots: SnapshotsTable;
  backups: BackupsTable;
  groups: GroupsTable;
  /** Where volumes were to be made before they were placed anew; `host`: `host@backend#pool`. */
  leftovers: { host: string; volume_id: string; created_at: number };
  events: EventsTable;
  idempotency: IdempotencyTable;
  messages: MessagesTable;
  secrets: { name: string; value: string; created_at: number };
  /** One row: the newest event that was purged. */
  event_horizon: { tx: number; seq: number };
  /** One row: the newest migration, and the oldest program (by its own newest migration) that still works with it. */
  schema_version: { version: number; compatible_from: number };
}

/** Deleted rows stay, with `deleted_at`, until they are purged. */
export interface VolumesTable {
  id: string;
  project_id: string;
  user_id: string;
  /** 0: temporary and migration volumes, which never count. */
  use_quota: number;
  name: string | null;
  description: string | null;
  size: number;
  status: string;
  status_reason: string | null;
  previous_status: string | null;
  attach_status: string;
  migration_status: string | null;
  /** `host@backend#pool`. */
  host: string | null;
  cluster_name: string | null;
  availability_zone: string | null;
  volume_type_id: string;
  snapshot_id: string | null;
  source_volume_id: string | null;
  group_id: string | null;
  encryption_key_id: string | null;
  bootable: number;
  multiattach: number;
  replication_status: string | null;
  replication_extended_status: string | null;
  replication_driver_data: string | null;
  name_id: string | null;
  provider_id: string | null;
  provider_location: string | null;
  provider_auth: string | null;
  provider_geometry: string | null;
  service_id: string | null;
  shared_targets: number | null;
  revision: number;
  scheduled_at: number | null;
  launched_at: number | null;
  terminated_at: number | null;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

export interface SnapshotsTable {
  id: string;
  project_id: string;
  user_id: string;
  /** 0: temporary snapshots, which never count. */
  use_quota: number;
  volume_id: string;
  /** Size of the volume when it was made. */
  volume_size: number;
  /** The volume's when it was made. Quota goes by the type that the volume has now. */
  volume_type_id: string | null;
  status: string;
  name: string | null;
  description: string | null;
  group_snapshot_id: string | null;
  encryption_key_id: string | null;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

export interface BackupsTable {
  id: string;
  project_id: string;
  user_id: string;
  volume_id: string;
  size: number;
  status: string;
  /** The service that makes it; null until it is chosen. */
  host: string | null;
  availability_zone: string | null;
  name: string | null;
  description: string | null;
  /** The backup it builds on; null: it is a full one. */
  parent_id: string | null;
  snapshot_id: string | null;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

/** Groups of volumes. */
export interface GroupsTable {
  id: string;
  project_id: string;
  user_id: string;
  status: string;
  name: string | null;
  description: string | null;
  /** `host@backend#pool`; null until it is placed. */
  host: string | null;
  cluster_name: string | null;
  availability_zone: string | null;
  group_type_id: string;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

export interface VolumeTypesTable {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  qos_specs_id: string | null;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

/** One row a scheduler host, and one a backend. Cinder's `services`, with the process behind it. */
export interface ServicesTable {
  id: string;
  binary: string;
  /** `host`, or `host@backend`. */
  host: string;
  cluster_name: string | null;
  availability_zone: string;
  disabled: number;
  disabled_reason: string | null;
  frozen: number;
  replication_status: string;
  active_backend_id: string | null;
  rpc_current_version: string;
  object_current_version: string;
  /** The incarnation that serves it now. */
  incarnation: string;
  /** Counts heartbeats. */
  report_count: number;
  heartbeat_at: number;
  /** Set by a graceful stop: the row no longer holds versions down. */
  stopped_at: number | null;
  /** Changed by administrators, never by heartbeats. */
  modified_at: number | null;
  created_at: number;
  deleted_at: number | null;
}

/** One row a running service; `serve all` is three. API processes too. */
export interface ProcessesTable {
  incarnation: string;
  binary: string;
  host: string;
  /** `address:port` of its internal RPC; for the API of its public one. */
  endpoint: string;
  rpc_version: string;
  object_version: string;
  started_at: number;
  heartbeat_at: number;
  stopped_at: number | null;
}

/** Work under way: one row a resource. See docs/protocols.md §W. */
export interface WorkersTable {
  resource_type: string;
  resource_id: string;
  /** The transient status of the resource that this row answers for. */
  status: string;
  /** The RPC's name, e.g. `CreateVolume`. */
  method: string;
  binary: string;
  /** `host@backend`; null: any process of the binary. */
  target: string | null;
  /** The request message in its newest, full form. */
  payload: Buffer;
  payload_version: string;
  /** JSON of a RequestContext. */
  context: string;
  /** `parked`: it has failed for its owner, and goes on when its backend is back. */
  state: 'staged' | 'ready' | 'claimed' | 'parked';
  epoch: number;
  /** Incarnation; null while nobody has it. */
  owner: string | null;
  service_id: string | null;
  claims: number;
  sends: number;
  not_before: number;
  send_until: number;
  created_at: number;
  updated_at: number;
}

/** "This SQL change may not be in Redis yet." See docs/protocols.md §Q. */
export interface QuotaSettlementsTable {
  /** The reservation's id. */
  id: string;
  project_id: string;
  kind: 'charge' | 'release' | 'hold';
  state: 'open' | 'undo' | 'void' | 'held' | 'final';
  /** JSON {resource: amount}; negative only in a charge or hold that also gives back. */
  deltas: string;
  resource_type: string;
  resource_id: string;
  /** Releases: after this moment (Redis's clock, ms) it must not be applied any more. */
  until: number | null;
  lease_owner: string | null;
  lease_until: number;
  created_at: number;
}

export interface EventsTable {
  /** In order of insertion. */
  seq: Generated<number>;
  /** PostgreSQL: the transaction's id, because a sequence is not in commit order; SQLite: 0. */
  tx: ColumnType<number, number | undefined, never>;
  project_id: string;
  resource_type: string;
  resource_id: string;
  /** e.g. `volume.create.start`. */
  type: string;
  /** JSON of the resource after the change. */
  payload: string;
  request_id: string;
  created_at: number;
}

export interface IdempotencyTable {
  project_id: string;
  user_id: string;
  rpc: string;
  key: string;
  /** SHA-256 of the request, hex. */
  request_hash: string;
  resource_id: string;
  created_at: number;
}

/** User messages. Rule: cinder/message/api.py. */
export interface MessagesTable {
  id: string;
  project_id: string;
  request_id: string;
  resource_type: string;
  resource_id: string;
  action_id: string;
  detail_id: string;
  message_level: string;
  user_message: string;
  created_at: number;
  expires_at: number;
}
