import { type RawBuilder, sql } from 'kysely';
import { deltasIn } from './deltas-text.js';
import { noteProject } from './quota-projects.js';
import { disownProject, type Settlement } from './quota-settlements.js';
import { statement, type Tools } from './statement.js';
import type { Store } from './store.js';

/** What the records say of a project, at one moment. */
export interface ProjectRecords {
  /** Live volumes that count, by type. */
  readonly volumes: readonly OfType[];
  /** Live snapshots that count, by the type that their volume has now; null: its volume is gone. */
  readonly snapshots: readonly (Counted & { readonly volumeTypeId: string | null })[];
  readonly backups: Counted;
  /** How many there are. */
  readonly groups: number;
  readonly settlements: readonly Pick<Settlement, 'id' | 'kind' | 'state' | 'deltas' | 'isDamaged' | 'until'>[];
}

/** How many records, and how large they are together. */
export interface Counted {
  readonly count: number;
  readonly gib: number;
}

type OfType = Counted & { readonly volumeTypeId: string };

/**
 * Disowns what is undecided, then counts, in one transaction; the counting is one statement, so that records and
 * settlements are of one moment. Whose sums are counted is noted, for those who compare them later.
 * Rule: docs/protocols.md §Q, REBUILD b; cinder/quota.py, the sync functions.
 */
export async function disownAndCount(store: Store, projectId: string): Promise<ProjectRecords> {
  const counting = { statement: count.with({ project: projectId }) };
  const [, , counted] = await store.apply([disownProject(projectId), noteProject(projectId), counting]);
  return toRecords((counted?.returned ?? []) as unknown as readonly Row[]);
}

/** Counts, and changes nothing: one statement, so that records and settlements are of one moment. */
export async function countRecords(store: Store, projectId: string): Promise<ProjectRecords> {
  return toRecords(await store.read(count.with({ project: projectId })));
}

function toRecords(rows: readonly Row[]): ProjectRecords {
  const of = (what: Row['what']) => rows.filter((row) => row.what === what);
  return {
    volumes: of('volumes').map((row) => ({ ...countedOf(row), volumeTypeId: row.id })),
    snapshots: of('snapshots').map((row) => ({ ...countedOf(row), volumeTypeId: row.id === '' ? null : row.id })),
    backups: countedOf(of('backups')[0]),
    groups: countedOf(of('groups')[0]).count,
    settlements: rows.filter(isSettlement).map(({ what, id, state, deltas, until }) => ({
      ...{ id, kind: what, state: state as Settlement['state'], until },
      ...deltasIn(deltas),
    })),
  };
}

type Records = 'volumes' | 'snapshots' | 'backups' | 'groups';

interface Row {
  /** A table, or the kind of a settlement. */
  readonly what: Records | Settlement['kind'];
  /** The volume type's, or the settlement's; empty: of no type. */
  readonly id: string;
  readonly state: string;
  readonly amount: number;
  readonly gib: number;
  readonly deltas: string;
  readonly until: number | null;
}

function countedOf(row: Pick<Row, 'amount' | 'gib'> | undefined): Counted {
  return { count: row?.amount ?? 0, gib: row?.gib ?? 0 };
}

function isSettlement(row: Row): row is Row & { readonly what: Settlement['kind'] } {
  return row.what === 'charge' || row.what === 'release' || row.what === 'hold';
}

const count = statement<{ project: string }>()((tools, p) =>
  volumes(tools, p.project)
    .unionAll(snapshots(tools, p.project))
    .unionAll(backups(tools, p.project))
    .unionAll(groups(tools, p.project))
    .unionAll(settlements(tools, p.project)),
);

const volumes = ({ db }: Tools, project: string) =>
  db
    .selectFrom('volumes')
    .select(sums('volumes', sql`volume_type_id`, sql`sum(size)`))
    .where('project_id', '=', project)
    .where('deleted_at', 'is', null)
    .where('use_quota', '=', 1)
    .groupBy('volume_type_id');

const snapshots = ({ db }: Tools, project: string) =>
  db
    .selectFrom('snapshots')
    .leftJoin('volumes as its', 'its.id', 'snapshots.volume_id')
    .select(sums('snapshots', sql`coalesce(its.volume_type_id, '')`, sql`sum(snapshots.volume_size)`))
    .where('snapshots.project_id', '=', project)
    .where('snapshots.deleted_at', 'is', null)
    .where('snapshots.use_quota', '=', 1)
    .groupBy('its.volume_type_id');

const backups = ({ db }: Tools, project: string) =>
  db
    .selectFrom('backups')
    .select(sums('backups', sql`''`, sql`coalesce(sum(size), 0)`))
    .where('project_id', '=', project)
    .where('deleted_at', 'is', null);

const groups = ({ db }: Tools, project: string) =>
  db
    .selectFrom('groups')
    .select(sums('groups', sql`''`, sql`0`))
    .where('project_id', '=', project)
    .where('deleted_at', 'is', null);

const settlements = ({ db }: Tools, project: string) =>
  db
    .selectFrom('quota_settlements')
    .select([
      sql<Row['what']>`kind`.as('what'),
      'id',
      'state',
      sql<number>`cast(0 as bigint)`.as('amount'),
      sql<number>`cast(0 as bigint)`.as('gib'),
      'deltas',
      'until',
    ])
    .where('project_id', '=', project);

/** The columns of a row that counts records. */
function sums(what: Records, id: RawBuilder<unknown>, gib: RawBuilder<unknown>) {
  return [
    sql<Row['what']>`${sql.lit(what)}`.as('what'),
    sql<string>`${id}`.as('id'),
    sql<string>`''`.as('state'),
    sql<number>`cast(count(*) as bigint)`.as('amount'),
    sql<number>`cast(${gib} as bigint)`.as('gib'),
    sql<string>`''`.as('deltas'),
    sql<number | null>`cast(null as bigint)`.as('until'),
  ] as const;
}
