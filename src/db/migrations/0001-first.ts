import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Schema } from '../schema.js';
import { type DialectName, NOW } from '../statement.js';

/** Id of `__DEFAULT__`, the volume type that every installation starts with. */
export const DEFAULT_VOLUME_TYPE_ID = '6d1f4c3a-8b0e-4f52-9c1d-2a7e5b9f0c41';

/** The tables of the first version. What a column means stands in `schema.ts`. */
export async function createTables(db: Kysely<Schema>, dialect: DialectName): Promise<void> {
  const types = TYPES[dialect];
  await createVolumes(db, types);
  await createVolumeTypes(db, types);
  await createServices(db, types);
  await createWorkers(db, types);
  await createQuota(db, types);
  await createEvents(db, types, dialect);
  await createRequests(db, types);
  await seed(db, dialect);
}

interface Types {
  /** Sorted and compared by code point, whatever the database's locale. */
  readonly text: RawBuilder<unknown>;
  readonly blob: RawBuilder<unknown>;
  /** Ends a table that is found by its primary key only. */
  readonly keyed: RawBuilder<unknown>;
}

const TYPES: Readonly<Record<DialectName, Types>> = {
  sqlite: { text: sql`text`, blob: sql`blob`, keyed: sql`without rowid` },
  postgres: { text: sql`text collate "C"`, blob: sql`bytea`, keyed: sql`` },
};

type Table = CreateTableBuilder<string, string>;

/** Adds columns of one type; those in `nullable` may be null. */
function columns(
  table: Table,
  type: RawBuilder<unknown> | 'integer' | 'bigint',
  required: readonly string[],
  nullable: readonly string[] = [],
): Table {
  const withRequired = required.reduce((t, name) => t.addColumn(name, type, (column) => column.notNull()), table);
  return nullable.reduce((t, name) => t.addColumn(name, type), withRequired);
}

async function createVolumes(db: Kysely<Schema>, { text, keyed }: Types): Promise<void> {
  let volumes: Table = db.schema
    .createTable('volumes')
    .addColumn('id', text, (column) => column.primaryKey().notNull());
  volumes = columns(
    volumes,
    text,
    ['project_id', 'user_id', 'status', 'attach_status', 'volume_type_id'],
    [
      ...['name', 'description', 'status_reason', 'previous_status', 'migration_status'],
      ...[
        'host',
        'cluster_name',
        'availability_zone',
        'snapshot_id',
        'source_volume_id',
        'group_id',
        'encryption_key_id',
      ],
      ...['replication_status', 'replication_extended_status', 'replication_driver_data'],
      ...['name_id', 'provider_id', 'provider_location', 'provider_auth', 'provider_geometry', 'service_id'],
    ],
  );
  volumes = columns(volumes, 'integer', ['use_quota', 'size', 'bootable', 'multiattach'], ['shared_targets']);
  volumes = columns(
    volumes,
    'bigint',
    ['revision', 'created_at', 'updated_at'],
    ['scheduled_at', 'launched_at', 'terminated_at', 'deleted_at'],
  );
  await volumes.execute();

  const live = sql<boolean>`deleted_at is null`;
  const index = (name: string) => db.schema.createIndex(`volumes_${name}`).on('volumes');
  await index('by_project').columns(['project_id', 'created_at desc', 'id']).where(live).execute();
  await index('by_creation').columns(['created_at desc', 'id']).where(live).execute();
  await index('by_host').column('host').where(live).execute();
  await index('by_type').column('volume_type_id').where(live).execute();
  await index('by_source')
    .column('source_volume_id')
    .where(sql<boolean>`source_volume_id is not null`)
    .execute();
  await index('in_transit')
    .column('status')
    .where(sql<boolean>`status in ('creating', 'downloading', 'deleting', 'uploading') and deleted_at is null`)
    .execute();
  await index('by_deletion')
    .column('deleted_at')
    .where(sql<boolean>`deleted_at is not null`)
    .execute();

  await columns(db.schema.createTable('volume_metadata'), text, ['volume_id', 'key', 'value'])
    .addPrimaryKeyConstraint('volume_metadata_key', ['volume_id', 'key'])
    .modifyEnd(keyed)
    .execute();
  await db.schema
    .createIndex('volume_metadata_by_pair')
    .on('volume_metadata')
    .columns(['key', 'value', 'volume_id'])
    .execute();
}

async function createVolumeTypes(db: Kysely<Schema>, { text }: Types): Promise<void> {
  let types: Table = db.schema
    .createTable('volume_types')
    .addColumn('id', text, (column) => column.primaryKey().notNull());
  types = columns(types, text, ['name'], ['description', 'qos_specs_id']);
  types = columns(types, 'integer', ['is_public']);
  await columns(types, 'bigint', ['created_at', 'updated_at'], ['deleted_at']).execute();
  await db.schema
    .createIndex('volume_types_by_name')
    .unique()
    .on('volume_types')
    .column('name')
    .where(sql<boolean>`deleted_at is null`)
    .execute();

  const specs = columns(db.schema.createTable('volume_type_extra_specs'), text, ['volume_type_id', 'key', 'value']);
  await columns(specs, 'integer', ['position'])
    .addPrimaryKeyConstraint('volume_type_extra_specs_key', ['volume_type_id', 'key'])
    .execute();
  await columns(db.schema.createTable('volume_type_access'), text, ['volume_type_id', 'project_id'])
    .addPrimaryKeyConstraint('volume_type_access_key', ['volume_type_id', 'project_id'])
    .execute();
  await columns(db.schema.createTable('default_volume_types'), text, ['project_id', 'volume_type_id'])
    .addPrimaryKeyConstraint('default_volume_types_key', ['project_id'])
    .execute();
}

async function createServices(db: Kysely<Schema>, { text }: Types): Promise<void> {
  let services: Table = db.schema
    .createTable('services')
    .addColumn('id', text, (column) => column.primaryKey().notNull());
  services = columns(
    services,
    text,
    [
      ...['binary', 'host', 'availability_zone', 'replication_status'],
      ...['rpc_current_version', 'object_current_version', 'incarnation'],
    ],
    ['cluster_name', 'disabled_reason', 'active_backend_id'],
  );
  services = columns(services, 'integer', ['disabled', 'frozen']);
  services = columns(
    services,
    'bigint',
    ['report_count', 'heartbeat_at', 'created_at'],
    ['stopped_at', 'modified_at', 'deleted_at'],
  );
  await services.execute();
  await db.schema
    .createIndex('services_by_binary_and_host')
    .unique()
    .on('services')
    .columns(['binary', 'host'])
    .where(sql<boolean>`deleted_at is null`)
    .execute();

  let processes: Table = db.schema
    .createTable('processes')
    .addColumn('incarnation', text, (column) => column.primaryKey().notNull());
  processes = columns(processes, text, ['binary', 'host', 'endpoint', 'rpc_version', 'object_version']);
  await columns(processes, 'bigint', ['started_at', 'heartbeat_at'], ['stopped_at']).execute();
  await db.schema.createIndex('processes_by_heartbeat').on('processes').column('heartbeat_at').execute();
}

async function createWorkers(db: Kysely<Schema>, { text, blob }: Types): Promise<void> {
  let workers: Table = db.schema.createTable('workers');
  workers = columns(
    workers,
    text,
    ['resource_type', 'resource_id', 'status', 'method', 'binary', 'payload_version', 'context', 'state'],
    ['target', 'owner', 'service_id'],
  );
  workers = columns(workers, blob, ['payload']);
  workers = columns(workers, 'integer', ['claims', 'sends']);
  await columns(workers, 'bigint', ['epoch', 'not_before', 'send_until', 'created_at', 'updated_at'])
    .addPrimaryKeyConstraint('workers_key', ['resource_type', 'resource_id'])
    .execute();
  await db.schema.createIndex('workers_to_send').on('workers').columns(['state', 'binary', 'not_before']).execute();
  await db.schema.createIndex('workers_by_owner').on('workers').column('owner').execute();
  await db.schema.createIndex('workers_by_age').on('workers').column('created_at').execute();
}

async function createQuota(db: Kysely<Schema>, { text }: Types): Promise<void> {
  const limits = columns(db.schema.createTable('quota_limits'), text, ['project_id', 'resource']);
  await columns(limits, 'bigint', [], ['hard_limit'])
    .addPrimaryKeyConstraint('quota_limits_key', ['project_id', 'resource'])
    .execute();
  const classes = columns(db.schema.createTable('quota_classes'), text, ['class_name', 'resource']);
  await columns(classes, 'bigint', [], ['hard_limit'])
    .addPrimaryKeyConstraint('quota_classes_key', ['class_name', 'resource'])
    .execute();

  let settlements: Table = db.schema
    .createTable('quota_settlements')
    .addColumn('id', text, (column) => column.primaryKey().notNull());
  settlements = columns(
    settlements,
    text,
    ['project_id', 'kind', 'state', 'deltas', 'resource_type', 'resource_id'],
    ['lease_owner'],
  );
  await columns(settlements, 'bigint', ['lease_until', 'created_at'], ['until']).execute();
  await db.schema.createIndex('quota_settlements_by_project').on('quota_settlements').column('project_id').execute();
  await db.schema.createIndex('quota_settlements_by_age').on('quota_settlements').column('created_at').execute();
}

async function createEvents(db: Kysely<Schema>, { text }: Types, dialect: DialectName): Promise<void> {
  const transaction = dialect === 'sqlite' ? sql`0` : sql`(pg_current_xact_id()::text::bigint)`;
  let events: Table = db.schema.createTable('events');
  events =
    dialect === 'sqlite'
      ? events.addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
      : events.addColumn('seq', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity());
  events = events.addColumn('tx', 'bigint', (column) => column.notNull().defaultTo(transaction));
  events = columns(events, text, ['project_id', 'resource_type', 'resource_id', 'type', 'payload', 'request_id']);
  await columns(events, 'bigint', ['created_at']).execute();
  if (dialect === 'postgres')
    await db.schema.createIndex('events_in_order').on('events').columns(['tx', 'seq']).execute();
  await db.schema.createIndex('events_by_age').on('events').column('created_at').execute();
  await db.schema.createIndex('events_by_resource').on('events').column('resource_id').execute();

  await columns(db.schema.createTable('event_horizon'), 'bigint', ['tx', 'seq']).execute();
}

async function createRequests(db: Kysely<Schema>, { text, keyed }: Types): Promise<void> {
  const key = ['project_id', 'user_id', 'rpc', 'key'];
  const idempotency = columns(db.schema.createTable('idempotency'), text, [...key, 'request_hash', 'resource_id']);
  await columns(idempotency, 'bigint', ['created_at'])
    .addPrimaryKeyConstraint('idempotency_key', key)
    .modifyEnd(keyed)
    .execute();
  await db.schema.createIndex('idempotency_by_age').on('idempotency').column('created_at').execute();
  await db.schema.createIndex('idempotency_by_resource').on('idempotency').column('resource_id').execute();

  let messages: Table = db.schema
    .createTable('messages')
    .addColumn('id', text, (column) => column.primaryKey().notNull());
  messages = columns(messages, text, [
    ...['project_id', 'request_id', 'resource_type', 'resource_id'],
    ...['action_id', 'detail_id', 'message_level', 'user_message'],
  ]);
  await columns(messages, 'bigint', ['created_at', 'expires_at']).execute();
  const index = (name: string) => db.schema.createIndex(`messages_${name}`).on('messages');
  await index('by_project').columns(['project_id', 'created_at desc', 'id']).execute();
  await index('by_expiry').column('expires_at').execute();
  await index('by_resource').column('resource_id').execute();

  const secrets = db.schema.createTable('secrets').addColumn('name', text, (column) => column.primaryKey().notNull());
  await columns(columns(secrets, text, ['value']), 'bigint', ['created_at']).execute();
}

async function seed(db: Kysely<Schema>, dialect: DialectName): Promise<void> {
  const now = NOW[dialect];
  await db
    .insertInto('volume_types')
    .values({
      id: DEFAULT_VOLUME_TYPE_ID,
      name: '__DEFAULT__',
      description: 'Default Volume Type',
      is_public: 1,
      qos_specs_id: null,
      created_at: now,
      updated_at: now,
      deleted_at: null,
    })
    .execute();
  await db.insertInto('event_horizon').values({ tx: 0, seq: 0 }).execute();
}
