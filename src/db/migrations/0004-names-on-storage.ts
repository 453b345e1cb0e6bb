import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.js';

/** Migrated volumes are looked up by their names on the storage. Few have one: the index costs the others nothing. */
export async function indexNamesOnStorage(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createIndex('volumes_by_name_on_storage')
    .on('volumes')
    .column('name_id')
    .where(sql<boolean>`name_id is not null and deleted_at is null`)
    .execute();
}
