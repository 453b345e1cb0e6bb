import { type CreateTableBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Schema } from '../schema.js';
import type { DialectName } from '../statement.js';
import { TEXT } from './text-type.js';

/** What every record that quota counts has, and what any of them may lack. */
const EVERY = ['project_id', 'user_id', 'status'] as const;
const TIMES = ['created_at', 'updated_at'] as const;

/**
 * Snapshots, backups and groups, what quota counts besides volumes, and the projects whose sums are in Redis. What a column
 * means stands in `schema.ts`. Each record has an index with all that counting a project asks for, so that it needs no row.
 */
export async function createQuotaRecords(db: Kysely<Schema>, dialect: DialectName): Promise<void> {
  const text = TEXT[dialect];
  const table = (name: string) => withColumns(newTable(db, name, text), text, EVERY);
  const snapshots = withColumns(table('snapshots'), text, ['volume_id'], SNAPSHOT_TEXTS);
  await createWithTimes(withColumns(snapshots, sql`integer`, ['volume_size', 'use_quota']));
  const backups = withColumns(table('backups'), text, ['volume_id'], BACKUP_TEXTS);
  await createWithTimes(withColumns(backups, sql`integer`, ['size']));
  await createWithTimes(withColumns(table('groups'), text, ['group_type_id'], GROUP_TEXTS));

  const counted = { snapshots: ['volume_id', 'volume_size', 'use_quota'], backups: ['size'], groups: [] };
  for (const [name, columns] of Object.entries(counted)) {
    // SQLite reads the row unless the condition's own column is in the index too
    await live(db, name, `${name}_in_project`)
      .columns(['project_id', 'created_at', 'id', ...columns, 'deleted_at'])
      .execute();
  }
  await live(db, 'snapshots', 'snapshots_by_volume').column('volume_id').execute();
  await createQuotaProjects(db, text);
}

/** A Redis that goes on through the upgrade may have any project that was ever charged. */
async function createQuotaProjects(db: Kysely<Schema>, text: RawBuilder<unknown>): Promise<void> {
  await db.schema
    .createTable('quota_projects')
    .addColumn('project_id', text, (column) => column.primaryKey().notNull())
    .addColumn('checked_at', sql`bigint`, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('quota_projects_by_check').on('quota_projects').column('checked_at').execute();
  for (const table of ['volumes', 'quota_settlements', 'quota_limits'] as const) {
    await db
      .insertInto('quota_projects')
      .columns(['project_id', 'checked_at'])
      .expression((eb) =>
        eb
          .selectFrom(table)
          .select(['project_id', sql<number>`0`.as('checked_at')])
          .distinct()
          .where('project_id', 'not in', eb.selectFrom('quota_projects').select('project_id')),
      )
      .execute();
  }
}

const SNAPSHOT_TEXTS = ['volume_type_id', 'name', 'description', 'group_snapshot_id', 'encryption_key_id'];
const BACKUP_TEXTS = ['host', 'availability_zone', 'name', 'description', 'parent_id', 'snapshot_id'];
const GROUP_TEXTS = ['name', 'description', 'host', 'cluster_name', 'availability_zone'];

type Table = CreateTableBuilder<string, string>;

function newTable(db: Kysely<Schema>, name: string, text: RawBuilder<unknown>): Table {
  return db.schema.createTable(name).addColumn('id', text, (column) => column.primaryKey().notNull());
}

function withColumns(
  table: Table,
  type: RawBuilder<unknown>,
  required: readonly string[],
  nullable: readonly string[] = [],
): Table {
  const withRequired = required.reduce((t, name) => t.addColumn(name, type, (column) => column.notNull()), table);
  return nullable.reduce((t, name) => t.addColumn(name, type), withRequired);
}

async function createWithTimes(table: Table): Promise<void> {
  await withColumns(table, sql`bigint`, TIMES, ['deleted_at']).execute();
}

function live(db: Kysely<Schema>, table: string, index: string) {
  return db.schema
    .createIndex(index)
    .on(table)
    .where(sql<boolean>`deleted_at is null`);
}
