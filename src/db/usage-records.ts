import { sql } from 'kysely';
import { type Statement, statement, type Tools } from './statement.js';
import type { Store } from './store.js';

/** Tables whose live records quota counts. */
export const USAGE_TABLES = ['volumes', 'snapshots', 'backups', 'groups'] as const;

export type UsageTable = (typeof USAGE_TABLES)[number];

/** A record that counts, as quota sees it. */
export interface UsageRecord {
  readonly id: string;
  /** GiB; of a group 0. */
  readonly sizeGib: number;
  /** Of volumes, and of snapshots the one that their volume has now; else null. */
  readonly volumeTypeId: string | null;
  /** Cinder's word. */
  readonly status: string;
  readonly createdAt: number;
}

/** Where a page begins: after this record. */
export interface UsagePlace {
  readonly createdAt: number;
  readonly id: string;
}

/** A project's live records that count, oldest first: at most `limit` after a place. What counts is as in `quota-sums.ts`. */
export async function listUsageRecords(
  store: Store,
  table: UsageTable,
  { projectId, after, limit }: { readonly projectId: string; readonly after: UsagePlace; readonly limit: number },
): Promise<readonly UsageRecord[]> {
  return store.read(LISTS[table].with({ projectId, limit, ...after }));
}

interface Params extends UsagePlace {
  readonly projectId: string;
  readonly limit: number;
}

/** The project's live rows after a place, in order. What is said here of volumes all four tables have. */
const rows = ({ db }: Tools, table: UsageTable, p: Params) =>
  db
    .selectFrom(`${table as 'volumes'} as record`)
    .select(['record.id', 'record.status', 'record.created_at as createdAt'])
    .where('record.project_id', '=', p.projectId)
    .where('record.deleted_at', 'is', null)
    // the first of the two conditions is what an index can be entered by
    .where('record.created_at', '>=', p.createdAt)
    .where((eb) => eb.or([eb('record.created_at', '>', p.createdAt), eb('record.id', '>', p.id)]))
    .orderBy('record.created_at')
    .orderBy('record.id')
    .limit(p.limit);

const ofNoType = sql<string | null>`cast(null as text)`.as('volumeTypeId');

const LISTS: Readonly<Record<UsageTable, Statement<Params, UsageRecord>>> = {
  volumes: statement<Params>()((tools, p) =>
    rows(tools, 'volumes', p)
      .select(['record.size as sizeGib', 'record.volume_type_id as volumeTypeId'])
      .where('record.use_quota', '=', 1),
  ),
  snapshots: statement<Params>()((tools, p) =>
    rows(tools, 'snapshots', p)
      .leftJoin('volumes as its', (join) => join.on('its.id', '=', sql.ref('record.volume_id')))
      .select([sql<number>`record.volume_size`.as('sizeGib'), 'its.volume_type_id as volumeTypeId'])
      .where('record.use_quota', '=', 1),
  ),
  backups: statement<Params>()((tools, p) => rows(tools, 'backups', p).select(['record.size as sizeGib', ofNoType])),
  groups: statement<Params>()((tools, p) => rows(tools, 'groups', p).select([sql<number>`0`.as('sizeGib'), ofNoType])),
};
