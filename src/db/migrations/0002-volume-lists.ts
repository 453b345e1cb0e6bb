import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.js';

/** What breaks ties: one index then serves the order by its column, the filter by it with the newest first, and the page after. */
const TIES = ['created_at', 'id'] as const;

/**
 * What volumes are sorted and filtered by. Every volume that is made pays for each index two or three times, so within a project
 * only what is asked for most has one; see `volume-candidates.ts` for how the others do.
 */
const IN_PROJECT = ['name', 'status'] as const;
const IN_ALL = [
  ...(['name', 'size', 'status', 'availability_zone', 'bootable', 'updated_at', 'host'] as const),
  ...(['volume_type_id', 'user_id'] as const),
] as const;

/** Few volumes have one: the index holds these few, and costs the others nothing. */
const RARE = ['source_volume_id', 'snapshot_id', 'group_id'] as const;

/** Indexes for lists of volumes. The ones they replace go; a program that was written before finds what it needs in these. */
export async function indexVolumeLists(db: Kysely<Schema>): Promise<void> {
  const live = sql<boolean>`deleted_at is null`;
  const index = (name: string) => db.schema.createIndex(`volumes_${name}`).on('volumes');

  for (const name of ['by_project', 'by_creation', 'by_host', 'by_type', 'by_source', 'in_transit']) {
    await db.schema.dropIndex(`volumes_${name}`).execute();
  }
  // with all that counting and adding up ask for, SQLite's own condition too, so that they need no row
  const counted = ['size', 'deleted_at'] as const;
  await index('in_project')
    .columns(['project_id', ...TIES, ...counted])
    .where(live)
    .execute();
  await index('in_all')
    .columns([...TIES, ...counted])
    .where(live)
    .execute();
  for (const key of IN_PROJECT) {
    await index(`in_project_by_${key}`)
      .columns(['project_id', key, ...TIES])
      .where(live)
      .execute();
  }
  for (const key of IN_ALL) {
    await index(`in_all_by_${key}`)
      .columns([key, ...TIES])
      .where(live)
      .execute();
  }
  for (const column of RARE) {
    await index(`in_all_by_${column}`)
      .columns([column, ...TIES])
      .where(sql<boolean>`${sql.ref(column)} is not null and deleted_at is null`)
      .execute();
  }
  await index('in_all_by_multiattach')
    .columns(['multiattach', ...TIES])
    .where(sql<boolean>`multiattach = 1 and deleted_at is null`)
    .execute();
}
