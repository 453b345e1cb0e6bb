import { sql } from 'kysely';
import { contextIn } from '../objects/request-context.js';
import { listIn } from './json.js';
import type { WorkersTable } from './schema.js';
import { since, statement } from './statement.js';
import type { Store } from './store.js';
import { type CastMessage, nameable, oneMore, type ReadyWorker, SEND_LEASE_MS, type WorkerKey } from './worker-row.js';

/** Takes up to `limit` ready rows that nobody is sending, for sending; none of `without`, each as `laneOf` says it. */
export async function takeForSending(
  store: Store,
  limit: number,
  without: readonly string[] = [],
): Promise<readonly ReadyWorker[]> {
  const statement = takeDue.with({ limit, lease: SEND_LEASE_MS, without: JSON.stringify(without) });
  const [done] = await store.apply([{ statement }]);
  return (done?.returned ?? []).map((row) => toReady(row as unknown as Row));
}

/** Where the work on a resource stands; undefined: there is none. */
export async function findWorkerState(store: Store, key: WorkerKey): Promise<WorkersTable['state'] | undefined> {
  const [row] = await store.read(stateOf.with({ type: key.resourceType, id: key.resourceId }));
  return row?.state;
}

/** A claimed row whose owner is dead, and what another owner needs to go on. */
export interface OrphanedWorker extends ReadyWorker {
  readonly owner: string | null;
  readonly claims: number;
}

export interface OrphanQuery {
  readonly binary: string;
  /** Who asks. */
  readonly owner: string;
  readonly downAfterMs: number;
  /** Backends whose work the asker can do, `host@backend`. @default every work of the binary */
  readonly targets?: readonly string[] | undefined;
  readonly limit: number;
  readonly skip?: number;
}

/**
 * Claimed rows of a binary whose owner has died, stopped or restarted, after the first `skip`; and rows of the asker's own that
 * it has not written for as long: it may not know that it has them, when the answer to its claim was lost.
 * Rule: docs/protocols.md §W TAKEOVER.
 */
export async function findOrphans(store: Store, query: OrphanQuery): Promise<readonly OrphanedWorker[]> {
  const { binary, owner, downAfterMs: down, targets = [], limit, skip = 0 } = query;
  const isAny = Number(query.targets === undefined);
  const asked = { binary, owner, down, isAny, targets: JSON.stringify(targets), limit, skip };
  const rows = await store.read(orphans.with(asked));
  return rows.map(toOrphaned);
}

/** Of these rows of work those that were made more than `ageMs` ago. */
export async function findOlderThan(
  store: Store,
  keys: readonly WorkerKey[],
  ageMs: number,
): Promise<readonly WorkerKey[]> {
  const ids = JSON.stringify(keys.map(({ resourceId }) => resourceId));
  const rows = await store.read(olderThan.with({ ids, ageMs }));
  return rows.map((row) => ({
    resourceType: row.resource_type as WorkerKey['resourceType'],
    resourceId: row.resource_id,
  }));
}

/** What counts as stranded. */
export interface StrandedQuery {
  readonly method: string;
  readonly downAfterMs: number;
  /** Age up to which the copy of a volume waits for the backend of its source, ms. */
  readonly sourcePatienceMs: number;
  readonly limit: number;
  /** Rows left out, of those unchanged for longest. @default 0 */
  readonly skip?: number;
}

/**
 * Rows for a backend that is down, claimed or not, while another backend is alive. A copy can be made where its source is and
 * nowhere else: it is stranded only when it has waited for long.
 */
export async function findStranded(store: Store, query: StrandedQuery): Promise<readonly OrphanedWorker[]> {
  const { method, downAfterMs: down, sourcePatienceMs: patience, limit, skip = 0 } = query;
  const rows = await store.read(stranded.with({ method, down, patience, limit, skip }));
  return rows.map(toOrphaned);
}

/** How much work of a binary is in a state. */
export interface UnfinishedCount {
  readonly binary: string;
  readonly state: WorkersTable['state'];
  readonly count: number;
}

/** How much work there is, from an index alone. */
export async function countUnfinished(store: Store): Promise<readonly UnfinishedCount[]> {
  return store.read(unfinished.with({}));
}

/** The age of the oldest work, ms by the database's clock, by binary and by the status that it answers for. */
export interface OldestUnfinished {
  readonly binary: string;
  readonly status: string;
  readonly ageMs: number;
}

/** Rows that are looked at: work that is not among the oldest of all is no news while those are there. */
const OLDEST_LOOKED_AT = 1_000;

/** What has waited longest; what is parked waits for its backend, and is no news. */
export async function oldestUnfinished(store: Store): Promise<readonly OldestUnfinished[]> {
  return store.read(oldest.with({ limit: OLDEST_LOOKED_AT }));
}

/** A row, and how old it was when it was read, ms. */
type Row = WorkersTable & { readonly age_ms: number };

/** What the next owner of a row needs. */
export function toOrphaned(row: Row): OrphanedWorker {
  return { ...toReady(row), owner: row.owner, claims: row.claims };
}

function toReady(row: Row): ReadyWorker {
  return {
    resourceType: row.resource_type as WorkerKey['resourceType'],
    resourceId: row.resource_id,
    epoch: row.epoch,
    target: row.target,
    message: {
      binary: row.binary as CastMessage['binary'],
      method: row.method,
      payload: bytesOf(row.payload),
      payloadVersion: row.payload_version,
    },
    ...contextOf(row.context),
    sends: row.sends,
    ageMs: row.age_ms,
    status: row.status,
  };
}

/** An embedded database keeps what it is given, whatever the column says; what is no payload is found out by its reader. */
function bytesOf(payload: unknown): Buffer {
  return payload instanceof Uint8Array ? Buffer.from(payload) : Buffer.from(String(payload));
}

function contextOf(text: string): Pick<ReadyWorker, 'context' | 'damage'> {
  const { context, isWhole } = contextIn(text);
  return isWhole ? { context } : { context, damage: 'its context cannot be read: it goes on without one' };
}

/** As `laneOf` says it. */
const LANE = sql<string>`workers.binary || ' ' || coalesce(workers.target, '')`;

const takeDue = statement<{ limit: number; lease: number; without: string }>()(({ db, dialect, now }, p) => {
  const due = db
    .selectFrom('workers')
    .select(['resource_type', 'resource_id'])
    .where('state', '=', 'ready')
    .where('not_before', '<=', now)
    .where('send_until', '<', now)
    .where(LANE, 'not in', listIn(dialect, p.without))
    .orderBy('not_before')
    .limit(p.limit);
  const locked = dialect === 'postgres' ? due.forUpdate().skipLocked() : due;
  return db
    .updateTable('workers')
    .set({ send_until: sql<number>`${now} + ${p.lease}`, sends: oneMore('sends'), epoch: nameable(now) })
    .where((eb) =>
      // SQLite and PostgreSQL both compare row values; Kysely's types ask for an expression of tuples.
      eb(eb.refTuple('resource_type', 'resource_id'), 'in', locked.$asTuple('resource_type', 'resource_id')),
    )
    .returningAll()
    .returning(since(now, 'created_at').as('age_ms'));
});

interface Orphans {
  readonly binary: string;
  readonly owner: string;
  readonly down: number;
  readonly isAny: number;
  readonly targets: string;
  readonly limit: number;
  readonly skip: number;
}

const orphans = statement<Orphans>()(({ db, dialect, now }, p) =>
  db
    .selectFrom('workers as w')
    .leftJoin('processes as p', 'p.incarnation', 'w.owner')
    .leftJoin('services as s', 's.id', 'w.service_id')
    .selectAll('w')
    .select(since(now, 'w.created_at').as('age_ms'))
    .where('w.state', '=', 'claimed')
    .where('w.binary', '=', p.binary)
    .where((eb) =>
      eb.or([
        eb('p.incarnation', 'is', null),
        eb('p.stopped_at', 'is not', null),
        eb('p.heartbeat_at', '<', sql<number>`${now} - ${p.down}`),
        eb.and([eb('s.incarnation', 'is not', null), eb('s.incarnation', '<>', eb.ref('w.owner'))]),
        eb.and([eb('w.owner', '=', p.owner), eb('w.updated_at', '<', sql<number>`${now} - ${p.down}`)]),
      ]),
    )
    .where((eb) =>
      eb.or([sql<boolean>`cast(${p.isAny} as integer) = 1`, eb('w.target', 'in', listIn(dialect, p.targets))]),
    )
    .orderBy('w.not_before') // the index's order: the first page of ten thousand is no dearer than that of a hundred
    .limit(p.limit)
    .offset(p.skip),
);

interface Stranded {
  readonly method: string;
  readonly down: number;
  readonly patience: number;
  readonly limit: number;
  readonly skip: number;
}

const stranded = statement<Stranded>()(({ db, now }, p) =>
  db
    .selectFrom('workers as w')
    .innerJoin('services as s', (join) =>
      join.onRef('s.host', '=', 'w.target').on('s.binary', '=', 'cinder-volume').on('s.deleted_at', 'is', null),
    )
    .leftJoin('volumes as v', 'v.id', 'w.resource_id')
    .selectAll('w')
    .select(since(now, 'w.created_at').as('age_ms'))
    .where('w.binary', '=', 'cinder-volume')
    .where('w.method', '=', p.method)
    .where('w.state', 'in', ['ready', 'claimed'])
    .where('s.heartbeat_at', '<', sql<number>`${now} - ${p.down}`)
    .where((eb) =>
      eb.or([
        eb.and([eb('v.source_volume_id', 'is', null), eb('v.snapshot_id', 'is', null)]),
        eb('w.created_at', '<', sql<number>`${now} - ${p.patience}`),
      ]),
    )
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('services as other')
          .select('other.id')
          .where('other.binary', '=', 'cinder-volume')
          .where('other.deleted_at', 'is', null)
          .where('other.stopped_at', 'is', null)
          .where('other.disabled', '=', 0)
          .where('other.frozen', '=', 0)
          .where('other.heartbeat_at', '>=', sql<number>`${now} - ${p.down}`),
      ),
    )
    .orderBy('w.updated_at')
    .limit(p.limit)
    .offset(p.skip),
);

const olderThan = statement<{ ids: string; ageMs: number }>()(({ db, dialect, now }, p) =>
  db
    .selectFrom('workers')
    .select(['resource_type', 'resource_id'])
    .where('resource_type', 'in', ['Volume', 'Snapshot'])
    .where('resource_id', 'in', listIn(dialect, p.ids))
    .where('created_at', '<', sql<number>`${now} - ${p.ageMs}`),
);

const stateOf = statement<{ type: string; id: string }>()(({ db }, p) =>
  db.selectFrom('workers').select('state').where('resource_type', '=', p.type).where('resource_id', '=', p.id),
);

const unfinished = statement()(({ db }) =>
  db
    .selectFrom('workers')
    .select(['binary', 'state'])
    .select(sql<number>`count(*)`.as('count'))
    .groupBy(['state', 'binary']),
);

const oldest = statement<{ limit: number }>()(({ db, now }, p) =>
  db
    .selectFrom(
      db
        .selectFrom('workers')
        .select(['binary', 'status', 'created_at'])
        .where('state', '<>', 'parked')
        .orderBy('created_at')
        .limit(p.limit)
        .as('old'),
    )
    .select(['binary', 'status'])
    .select(since(now, sql`min(created_at)`).as('ageMs'))
    .groupBy(['binary', 'status']),
);
