import { type Expression, type RawBuilder, sql } from 'kysely';
import { contextIn, type RequestContext } from '../objects/request-context.js';
import type { VolumeStatus } from '../objects/volume-status.js';
import { deltasIn } from './deltas-text.js';
import type { WorkersTable } from './schema.js';
import type { Settlement } from './quota-settlements.js';
import { serving } from './serving.js';
import { since, statement, until } from './statement.js';
import type { Store } from './store.js';

/** What there is to know of a row of work, at one moment. */
export interface WorkFacts {
  readonly resourceType: 'Volume' | 'Snapshot';
  readonly resourceId: string;
  readonly epoch: number;
  readonly state: WorkersTable['state'];
  readonly status: string;
  readonly method: string;
  readonly binary: string;
  readonly target: string | null;
  readonly context: RequestContext;
  /** Since the row was last written by an owner, ms. */
  readonly unchangedMs: number;
  /** For how long nobody sends it, ms; negative: it may be sent. */
  readonly restsMs: number;
  /** Of a claimed row: its owner has ended, was never recorded, or its service has another owner now. */
  readonly isOrphaned: boolean;
  /** Since the owner was heard of, ms; null: it is not known at all. */
  readonly ownerSilentMs: number | null;
  /** Whether a living service could do the work. */
  readonly isServed: boolean;
  /** Of the live resource; null: it is gone. */
  readonly resourceStatus: string | null;
  /** The volume's; null: there is none. */
  readonly revision: number | null;
  readonly projectId: string | null;
  /** Whether quota of the resource is being decided. */
  readonly isUnsettled: boolean;
}

/** Rows of work on resources of a type behind one of them, no further than `until`. */
export async function workFacts(
  store: Store,
  query: {
    readonly resourceType: string;
    readonly after: string;
    readonly until: string;
    readonly limit: number;
    /** Silence after which a process counts as dead, ms. */
    readonly downAfterMs: number;
  },
): Promise<readonly WorkFacts[]> {
  const { resourceType: type, after, until, limit, downAfterMs: down } = query;
  const rows = await store.read(work.with({ type, after, until, limit, down }));
  return rows.map((row) => ({
    ...{ resourceType: row.resource_type as WorkFacts['resourceType'], resourceId: row.resource_id },
    ...{ epoch: row.epoch, state: row.state, status: row.status, method: row.method },
    ...{ binary: row.binary, target: row.target, context: contextIn(row.context).context },
    ...{
      restsMs: row.rests_ms,
      unchangedMs: row.unchanged_ms,
      isOrphaned: row.is_orphaned === 1,
      ownerSilentMs: row.owner_silent_ms,
    },
    ...{ isServed: row.is_served === 1, resourceStatus: row.resource_status, revision: row.revision },
    ...{ projectId: row.project_id, isUnsettled: row.is_unsettled === 1 },
  }));
}

/** A live volume in a transient status. */
export interface TransientFacts {
  readonly id: string;
  readonly projectId: string;
  readonly userId: string;
  readonly status: VolumeStatus;
  readonly revision: number;
  readonly createdAt: number;
  readonly hasWork: boolean;
  /** It was a volume already, with data, before the work that its status speaks of. */
  readonly hasData: boolean;
}

/** Volumes in a status behind one, in the order in which they were made, no further than `until`. */
export async function transientFacts(
  store: Store,
  query: {
    readonly status: string;
    readonly after: VolumePlace;
    readonly until: VolumePlace;
    readonly limit: number;
  },
): Promise<readonly TransientFacts[]> {
  const { status, after, until, limit } = query;
  const rows = await store.read(
    inTransit.with({
      ...{ status, limit, afterTime: after.createdAt, afterId: after.id },
      ...{ untilTime: until.createdAt, untilId: until.id },
    }),
  );
  return rows.map((row) => ({
    ...{ id: row.id, projectId: row.project_id, userId: row.user_id, status: row.status as VolumeStatus },
    ...{ revision: row.revision, createdAt: row.created_at, hasWork: row.has_work === 1 },
    hasData: row.launched_at !== null || row.previous_status !== null,
  }));
}

/** The statuses, but the empty one, that live volumes have, known or not: the first `limit`. Reads one entry of an index for each. */
export async function statusesInUse(store: Store, limit: number): Promise<readonly string[]> {
  const statuses: string[] = [];
  for (let after = ''; statuses.length < limit;) {
    const [row] = await store.read(nextStatus.with({ after }));
    if (!row) break;
    statuses.push((after = row.status));
  }
  return statuses;
}

/** Where a volume stands among those of its status. */
export interface VolumePlace {
  readonly createdAt: number;
  readonly id: string;
}

/** A settlement, and what it waits for. */
export interface SettlementFacts extends Pick<
  Settlement,
  'id' | 'projectId' | 'kind' | 'state' | 'resourceType' | 'resourceId'
> {
  readonly ageMs: number;
  /** Its amounts cannot be read. */
  readonly isDamaged: boolean;
  /** Whether there is work on the resource. */
  readonly hasWork: boolean;
}

/** Settlements behind one, by id, no further than `until`. */
export async function settlementFacts(
  store: Store,
  query: { readonly after: string; readonly until: string; readonly limit: number },
): Promise<readonly SettlementFacts[]> {
  const rows = await store.read(settlements.with({ ...query }));
  return rows.map((row) => ({
    ...{ id: row.id, projectId: row.project_id, kind: row.kind, state: row.state },
    ...{ resourceType: row.resource_type, resourceId: row.resource_id },
    ...{ isDamaged: deltasIn(row.deltas).isDamaged ?? false },
    ...{ ageMs: Math.max(0, row.age_ms), hasWork: row.has_work === 1 },
  }));
}

/** Behind every id there is. */
export const LAST_ID = '~';

/** 1 or 0: SQLite has no booleans. */
function flag(condition: Expression<unknown>): RawBuilder<number> {
  return sql<number>`case when ${condition} then 1 else 0 end`;
}

interface WorkQuery {
  readonly type: string;
  readonly after: string;
  readonly until: string;
  readonly limit: number;
  readonly down: number;
}

const work = statement<WorkQuery>()((tools, p) => {
  const { db, now } = tools;
  return db
    .selectFrom('workers as w')
    .leftJoin('processes as p', 'p.incarnation', 'w.owner')
    .leftJoin('services as s', 's.id', 'w.service_id')
    .leftJoin('volumes as v', (join) =>
      join.onRef('v.id', '=', 'w.resource_id').on('w.resource_type', '=', 'Volume').on('v.deleted_at', 'is', null),
    )
    .leftJoin('snapshots as n', (join) =>
      join.onRef('n.id', '=', 'w.resource_id').on('w.resource_type', '=', 'Snapshot').on('n.deleted_at', 'is', null),
    )
    .select(['w.resource_type', 'w.resource_id', 'w.epoch', 'w.state', 'w.status', 'w.method'])
    .select(['w.binary', 'w.target', 'w.context', 'v.revision', 'v.project_id'])
    .select(sql<string | null>`coalesce(v.status, n.status)`.as('resource_status'))
    .select(since(now, 'w.updated_at').as('unchanged_ms'))
    .select(
      until(now, sql`case when w.not_before > w.send_until then w.not_before else w.send_until end`).as('rests_ms'),
    )
    .select(since(now, 'p.heartbeat_at').$castTo<number | null>().as('owner_silent_ms'))
    .select((eb) => [
      flag(
        eb.or([
          eb('p.incarnation', 'is', null),
          eb('p.stopped_at', 'is not', null),
          eb('p.heartbeat_at', '<', sql<number>`${now} - ${p.down}`),
          eb.and([eb('s.incarnation', 'is not', null), eb('s.incarnation', '<>', eb.ref('w.owner'))]),
        ]),
      ).as('is_orphaned'),
      flag(eb.exists(serving(tools, p.down))).as('is_served'),
      flag(
        eb.exists(
          eb
            .selectFrom('quota_settlements as q')
            .select('q.id')
            .where('q.project_id', '=', sql<string>`coalesce(v.project_id, n.project_id)`)
            .whereRef('q.resource_type', '=', 'w.resource_type')
            .whereRef('q.resource_id', '=', 'w.resource_id'),
        ),
      ).as('is_unsettled'),
    ])
    .where('w.resource_type', '=', p.type)
    .where('w.resource_id', '>', p.after)
    .where('w.resource_id', '<=', p.until)
    .orderBy('w.resource_id')
    .limit(p.limit);
});

interface TransitQuery {
  readonly status: string;
  readonly afterTime: number;
  readonly afterId: string;
  readonly untilTime: number;
  readonly untilId: string;
  readonly limit: number;
}

const inTransit = statement<TransitQuery>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(['id', 'project_id', 'user_id', 'status', 'revision', 'created_at', 'launched_at', 'previous_status'])
    .select((eb) =>
      flag(
        eb.exists(
          eb
            .selectFrom('workers as w')
            .select('w.epoch')
            .where('w.resource_type', '=', 'Volume')
            .whereRef('w.resource_id', '=', 'volumes.id'),
        ),
      ).as('has_work'),
    )
    .where('status', '=', p.status)
    .where('deleted_at', 'is', null)
    .where((eb) => eb(eb.refTuple('created_at', 'id'), '>', eb.tuple(p.afterTime, p.afterId)))
    .where((eb) => eb(eb.refTuple('created_at', 'id'), '<=', eb.tuple(p.untilTime, p.untilId)))
    .orderBy('created_at')
    .orderBy('id')
    .limit(p.limit),
);

const nextStatus = statement<{ after: string }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select('status')
    .where('status', '>', p.after)
    .where('deleted_at', 'is', null)
    .orderBy('status')
    .limit(1),
);

const settlements = statement<{ after: string; until: string; limit: number }>()(({ db, now }, p) =>
  db
    .selectFrom('quota_settlements as q')
    .select(['q.id', 'q.project_id', 'q.kind', 'q.state', 'q.deltas', 'q.resource_type', 'q.resource_id'])
    .select(since(now, 'q.created_at').as('age_ms'))
    .select((eb) =>
      flag(
        eb.exists(
          eb
            .selectFrom('workers as w')
            .select('w.epoch')
            .whereRef('w.resource_type', '=', 'q.resource_type')
            .whereRef('w.resource_id', '=', 'q.resource_id'),
        ),
      ).as('has_work'),
    )
    .where('q.id', '>', p.after)
    .where('q.id', '<=', p.until)
    .orderBy('q.id')
    .limit(p.limit),
);
