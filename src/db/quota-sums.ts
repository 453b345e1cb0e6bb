import { sql } from 'kysely';
import type { QuotaSettlementsTable } from './schema.js';
import { disownProject, type Settlement } from './quota-settlements.js';
import { statement } from './statement.js';
import type { Store } from './store.js';

/** What the records say of a project, at one moment. */
export interface ProjectRecords {
  /** Live volumes that count, by type. */
  readonly volumes: readonly { readonly volumeTypeId: string; readonly count: number; readonly gib: number }[];
  readonly settlements: readonly Pick<Settlement, 'id' | 'kind' | 'state' | 'deltas' | 'until'>[];
}

/**
 * Disowns what is undecided, then counts, in one transaction; the counting is one statement, so that volumes and
 * settlements are of one moment. Rule: docs/protocols.md §Q, REBUILD b; cinder/quota.py, the sync functions.
 */
export async function disownAndCount(store: Store, projectId: string): Promise<ProjectRecords> {
  const [, counted] = await store.apply([disownProject(projectId), { statement: count.with({ project: projectId }) }]);
  const rows = (counted?.returned ?? []) as unknown as readonly Row[];
  return {
    volumes: rows
      .filter(({ what }) => what === 'volumes')
      .map(({ id, amount, gib }) => ({ volumeTypeId: id, count: amount, gib })),
    settlements: rows
      .filter(({ what }) => what !== 'volumes')
      .map(({ what, id, state, deltas, until }) => ({
        id,
        kind: what as Settlement['kind'],
        state: state as Settlement['state'],
        deltas: JSON.parse(deltas) as Settlement['deltas'],
        until,
      })),
  };
}

interface Row {
  /** `volumes`, or the kind of a settlement. */
  readonly what: QuotaSettlementsTable['kind'] | 'volumes';
  /** The volume type's, or the settlement's. */
  readonly id: string;
  readonly state: string;
  readonly amount: number;
  readonly gib: number;
  readonly deltas: string;
  readonly until: number | null;
}

const count = statement<{ project: string }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select([
      sql<Row['what']>`'volumes'`.as('what'),
      'volume_type_id as id',
      sql<string>`''`.as('state'),
      sql<number>`cast(count(*) as bigint)`.as('amount'),
      sql<number>`cast(sum(size) as bigint)`.as('gib'),
      sql<string>`''`.as('deltas'),
      sql<number | null>`cast(null as bigint)`.as('until'),
    ])
    .where('project_id', '=', p.project)
    .where('deleted_at', 'is', null)
    .where('use_quota', '=', 1)
    .groupBy('volume_type_id')
    .unionAll(
      db
        .selectFrom('quota_settlements')
        .select([
          'kind as what',
          'id',
          'state',
          sql<number>`cast(0 as bigint)`.as('amount'),
          sql<number>`cast(0 as bigint)`.as('gib'),
          'deltas',
          'until',
        ])
        .where('project_id', '=', p.project),
    ),
);
