import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.js';
import type { DialectName } from '../statement.js';

/**
 * Every creation appends four events, and paid for two indexes four times. Nobody asks for events by their age: they are purged in
 * their order. By their volume only the progress of a creation is asked for, of which there is little. On PostgreSQL that index
 * stays for programs of the release before, which ask in words that the smaller one does not answer.
 */
export async function thinOutEventIndexes(db: Kysely<Schema>, dialect: DialectName): Promise<void> {
  await db.schema.dropIndex('events_by_age').ifExists().execute();
  if (dialect === 'postgres') return;
  await db.schema.dropIndex('events_by_resource').ifExists().execute();
  await db.schema
    .createIndex('events_of_progress')
    .on('events')
    .column('resource_id')
    .where(sql<boolean>`type = 'volume.create.progress'`)
    .execute();
}
