import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.js';

/**
 * What volumes are sorted and filtered by. Each has an index within a project and one over all; both end with what breaks
 * ties, so that one index serves "sorted by it", "only those with this value, newest first" and the page after any volume.
 */
const KEYS = [
  'name',
  'size',
  'status',
  'availability_zone',
  'bootable',
  'updated_at',
  'host',
  'volume_type_id',
] as const;

/** Columns that few volumes have: the index holds these few, and costs the others nothing. */
const RARE = ['source_volume_id', 'snapshot_id', 'group_id'] as const;

const TIES = ['created_at', 'id'] as const;

/** Indexes for lists of volumes. The ones they replace go; a program that was written before finds what it needs in these. */
export async function indexVolumeLists(db: Kysely<Schema>): Promise<void> {
  const live = sql<boolean>`deleted_at is null`;
  const index = (name: string) => db.schema.createIndex(`volumes_${name}`).on('volumes');

  for (const name of ['by_project', 'by_creation', 'by_host', 'by_type', 'by_source', 'in_transit']) {
    await db.schema.dropIndex(`volumes_${name}`).execute();
  }
  await index('in_project')
    .columns(['project_id', ...TIES])
    .where(live)
    .execute();
  await index('in_all')
    .columns([...TIES])
    .where(live)
    .execute();
  await index('in_project_by_id').columns(['project_id', 'id']).where(live).execute();
  for (const key of KEYS) {
    // SQLite counts and adds up without the rows where an index has every column that is asked for, that of its own condition too
    const last = key === 'size' ? [...TIES, 'deleted_at'] : TIES;
    await index(`in_project_by_${key}`)
      .columns(['project_id', key, ...last])
      .where(live)
      .execute();
    await index(`in_all_by_${key}`)
      .columns([key, ...last])
      .where(live)
      .execute();
  }
  // a user works in few projects
  await index('in_all_by_user_id')
    .columns(['user_id', ...TIES])
    .where(live)
    .execute();
  for (const column of RARE) {
    await index(`in_all_by_${column}`)
      .columns([column, ...TIES])
      .where(sql<boolean>`${sql.ref(column)} is not null and deleted_at is null`)
      .execute();
  }
  const multiattach = sql<boolean>`multiattach = 1 and deleted_at is null`;
  await index('in_project_multiattach')
    .columns(['project_id', ...TIES])
    .where(multiattach)
    .execute();
  await index('in_all_multiattach')
    .columns([...TIES])
    .where(multiattach)
    .execute();
}
