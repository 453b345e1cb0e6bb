import { join } from 'node:path';
import test from 'ava';
import { Kysely, SqliteDialect } from 'kysely';
import Database from 'libsql';
import { createTables } from '#src/db/migrations/0001-first.js';
import { indexVolumeLists } from '#src/db/migrations/0002-volume-lists.js';
import { createQuotaRecords } from '#src/db/migrations/0003-quota-records.js';
import type { Schema } from '#src/db/schema.js';
import { folderFor } from '../support/folder.js';

test('projects that were charged before the upgrade are known after it, each once', async (t) => {
  const database = new Database(join(await folderFor(t), 'cinder.db'));
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
  t.teardown(() => db.destroy());
  await createTables(db, 'sqlite');
  await indexVolumeLists(db);
  const insert = (table: string, own: Readonly<Record<string, unknown>>) => {
    const columns = database.prepare(`pragma table_info(${table})`).all() as { name: string; notnull: number }[];
    const row = columns.map(({ name, notnull }) => own[name] ?? (notnull === 1 ? 0 : null));
    database.prepare(`insert into ${table} values (${row.map(() => '?').join(', ')})`).run(...row);
  };
  insert('volumes', { id: 'v1', project_id: 'alive' });
  insert('volumes', { id: 'v2', project_id: 'alive' });
  insert('volumes', { id: 'v3', project_id: 'all-deleted', deleted_at: 1 });
  insert('quota_settlements', { id: 's1', project_id: 'alive' });
  insert('quota_settlements', { id: 's2', project_id: 'settling' });
  insert('quota_limits', { project_id: 'limited', resource: 'volumes' });

  await createQuotaRecords(db, 'sqlite');

  const rows = await db.selectFrom('quota_projects').selectAll().orderBy('project_id').execute();
  t.deepEqual(
    rows,
    ['alive', 'all-deleted', 'limited', 'settling'].map((project_id) => ({ project_id, checked_at: 0 })),
  );
});
