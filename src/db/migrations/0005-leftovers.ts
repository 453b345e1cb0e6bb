import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.js';
import type { DialectName } from '../statement.js';
import { TEXT } from './text-type.js';

/** Where a volume was to be made before it was placed anew. */
export async function createLeftovers(db: Kysely<Schema>, dialect: DialectName): Promise<void> {
  await db.schema
    .createTable('leftovers')
    .addColumn('host', TEXT[dialect], (column) => column.notNull())
    .addColumn('volume_id', TEXT[dialect], (column) => column.notNull())
    .addColumn('created_at', sql`bigint`, (column) => column.notNull())
    .addPrimaryKeyConstraint('leftovers_by_host', ['host', 'volume_id'])
    .execute();
  await db.schema.createIndex('leftovers_by_age').on('leftovers').column('created_at').execute();
}
