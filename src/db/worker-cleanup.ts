import { sql } from 'kysely';
import { statement } from './statement.js';
import type { Store } from './store.js';
import type { WorkerKey } from './worker-row.js';

/** Which claimed rows of work are meant; what is absent narrows nothing. */
export interface WorkToBeginAnew {
  readonly binary: string;
  readonly serviceId?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly resourceId?: string | undefined;
  /** Rows that have changed since then are left alone, ms by the database's clock. @default now */
  readonly until?: number | undefined;
}

/** Rows given back in one transaction. */
const BATCH = 500;

/**
 * Gives claimed rows back, so that they are sent and claimed once more, as if for the first time; whoever had them is fenced.
 * Returns how many there were. Safe to repeat. Rule: cinder/manager.py, `CleanableManager.do_cleanup`.
 */
export async function beginWorkAnew(store: Store, work: WorkToBeginAnew): Promise<number> {
  const until = work.until ?? (await databaseNow(store));
  const { binary, serviceId = null, resourceType = null, resourceId = null } = work;
  const query = { binary, serviceId, resourceType, resourceId, until, limit: BATCH };
  for (let count = 0; ;) {
    const [done] = await store.apply([{ statement: release.with(query) }]);
    const released = done?.returned.length ?? 0;
    count += released;
    if (released < BATCH) return count;
  }
}

/** A claimed row, and the service that has it. */
export interface ClaimedWork {
  readonly resourceType: WorkerKey['resourceType'];
  readonly serviceId: string;
}

/** Whose claim is meant; what is absent narrows nothing. */
export interface ClaimedBy {
  readonly resourceId: string;
  readonly resourceType?: string | undefined;
  readonly binary?: string | undefined;
}

/** Who has the work on a resource; none: nobody has begun any. */
export async function findClaimedWork(
  store: Store,
  { resourceId, resourceType, binary }: ClaimedBy,
): Promise<readonly ClaimedWork[]> {
  return store.read(claimed.with({ id: resourceId, type: resourceType ?? null, binary: binary ?? null }));
}

/** ms since 1970 by the database's clock. */
export async function databaseNow(store: Store): Promise<number> {
  const [row] = await store.read(clock.with({}));
  if (!row) throw new Error('the database has no clock');
  return row.now;
}

interface Query {
  readonly binary: string;
  readonly serviceId: string | null;
  readonly resourceType: string | null;
  readonly resourceId: string | null;
  readonly until: number;
  readonly limit: number;
}

const release = statement<Query>()(({ db, dialect, now }, p) => {
  const due = db
    .selectFrom('workers')
    .select(['resource_type', 'resource_id'])
    .where('state', '=', 'claimed')
    .where('binary', '=', p.binary)
    .where('updated_at', '<=', p.until)
    .where(sql<boolean>`service_id = coalesce(cast(${p.serviceId} as text), service_id)`)
    .where(sql<boolean>`resource_type = coalesce(cast(${p.resourceType} as text), resource_type)`)
    .where(sql<boolean>`resource_id = coalesce(cast(${p.resourceId} as text), resource_id)`)
    .limit(p.limit);
  const locked = dialect === 'postgres' ? due.forUpdate() : due;
  return db
    .updateTable('workers')
    .set({
      state: 'ready',
      owner: null,
      service_id: null,
      epoch: sql<number>`epoch + 1`,
      claims: 0,
      not_before: 0,
      send_until: 0,
      updated_at: now,
    })
    .where('state', '=', 'claimed')
    .where((eb) =>
      eb(eb.refTuple('resource_type', 'resource_id'), 'in', locked.$asTuple('resource_type', 'resource_id')),
    )
    .returning('resource_id');
});

const claimed = statement<{ id: string; type: string | null; binary: string | null }>()(({ db }, p) =>
  db
    .selectFrom('workers')
    .select([
      sql<ClaimedWork['resourceType']>`resource_type`.as('resourceType'),
      sql<string>`service_id`.as('serviceId'),
    ])
    .where('resource_id', '=', p.id)
    .where('resource_type', 'in', ['Volume', 'Snapshot'])
    .where('state', '=', 'claimed')
    .where('service_id', 'is not', null)
    .where(sql<boolean>`resource_type = coalesce(cast(${p.type} as text), resource_type)`)
    .where(sql<boolean>`workers.binary = coalesce(cast(${p.binary} as text), workers.binary)`),
);

const clock = statement()(({ db, now }) => db.selectNoFrom(now.as('now')));
