import { type ExpressionBuilder, sql } from 'kysely';
import { deltasIn, type KeptDeltas } from './deltas-text.js';
import { listIn } from './json.js';
import type { QuotaSettlementsTable, Schema } from './schema.js';
import { since, statement } from './statement.js';
import type { Step, Store } from './store.js';

/** "This change of the records may not be in Redis yet." Rule: docs/protocols.md §Q. */
export interface Settlement {
  /** The reservation's id; of a release, its own. */
  readonly id: string;
  readonly projectId: string;
  readonly kind: QuotaSettlementsTable['kind'];
  /** open: Redis decides · undo: the record is gone · void: disowned by a rebuild · held · final: Redis must follow. */
  readonly state: QuotaSettlementsTable['state'];
  /** Resource → amount; negative only in a charge or hold that also gives back. */
  readonly deltas: KeptDeltas['deltas'];
  readonly isDamaged?: KeptDeltas['isDamaged'];
  readonly resourceType: string;
  readonly resourceId: string;
  /** Releases: ms; from then on, by Redis's clock, it is not applied any more. */
  readonly until: number | null;
  /** ms, the database's clock. */
  readonly createdAt: number;
}

/** What a new row needs. */
export type NewSettlement = Pick<Settlement, 'id' | 'projectId' | 'deltas' | 'resourceType' | 'resourceId'>;

/** Belongs into the transaction that creates the record. */
export function insertCharge(charge: NewSettlement): Step {
  return { statement: insert.with({ kind: 'charge', ...columns(charge) }), rows: 1 };
}

/** Belongs into the transaction that begins a long change of a resource. */
export function insertHold(hold: NewSettlement): Step {
  return { statement: insert.with({ kind: 'hold', ...columns(hold) }), rows: 1 };
}

/** Belongs into the transaction that destroys the record. The release may be applied within `graceMs`. */
export function insertRelease(release: NewSettlement, graceMs: number): Step {
  return { statement: insertWithUntil.with({ grace: graceMs, ...columns(release) }), rows: 1 };
}

/** Quota is decided and the record stays: first statement of the transaction that makes its work ready. */
export function deleteOpenCharge(id: string): Step {
  return { statement: deleteCharge.with({ id }), rows: 1 };
}

/** Disowns an open charge or hold before it is revoked. Changes nothing when somebody was faster. */
export function markVoid(id: string): Step {
  return { statement: disown.with({ id }) };
}

/** Belongs into the transaction that destroys the record again: that is done at most once. */
export function markUndo(id: string): Step {
  return { statement: undo.with({ id }), rows: 1 };
}

/** Belongs into the transaction that ends a long change of a resource without its success: recovery gives the room back. */
export function undoHoldsOf(resourceType: string, resourceId: string): Step {
  return { statement: undoHolds.with({ type: resourceType, id: resourceId }) };
}

/** The hold is decided. */
export function markHeld(id: string): Step {
  return { statement: move.with({ id, from: 'open', to: 'held' }), rows: 1 };
}

/** The held change is in the records: Redis must follow. */
export function markFinal(id: string): Step {
  return { statement: move.with({ id, from: 'held', to: 'final' }), rows: 1 };
}

/** Redis has followed. Changes nothing when the row has moved on. */
export function deleteSettlement({ id, state }: Pick<Settlement, 'id' | 'state'>): Step {
  return { statement: remove.with({ id, state }) };
}

/** Disowns every open charge and hold of a project, so that none of them is finished any more. */
export function disownProject(projectId: string): Step {
  return { statement: disownAll.with({ project: projectId }) };
}

export async function findSettlement(store: Store, id: string): Promise<Settlement | undefined> {
  const [row] = await store.read(find.with({ id }));
  return row && toSettlement(row);
}

/** Those of the ids that there are. */
export async function findSettlements(store: Store, ids: readonly string[]): Promise<readonly Settlement[]> {
  return (await store.read(findAll.with({ ids: JSON.stringify(ids) }))).map(toSettlement);
}

/** Who looks for rows that were left behind, and how old they must be. */
export interface Recovery {
  readonly owner: string;
  /** How old a row is that its flow must have left behind, ms by the database's clock. */
  readonly minAgeMs: number;
  /** Heartbeat age at which the process of a flow counts as dead, ms. */
  readonly downAfterMs: number;
  /** For how long nobody else takes them, ms. */
  readonly leaseMs: number;
  readonly limit: number;
}

/**
 * Takes rows that their flow has left behind: old ones, and at once those whose staged work is of a process that has died or was
 * started anew at its address. To take one of a flow that goes on is harmless: whoever is first decides. `held` rows belong to
 * work that goes on. Those that nobody has tried come first, oldest first, then those whose last try is the longest ago: however
 * many cannot be ended now, they keep no other waiting.
 */
export async function takeRecoverable(store: Store, recovery: Recovery): Promise<readonly Settlement[]> {
  const { owner, minAgeMs, downAfterMs, leaseMs, limit } = recovery;
  const query = { owner, age: minAgeMs, down: downAfterMs, lease: leaseMs, limit };
  const [done] = await store.apply([{ statement: take.with(query) }]);
  return (done?.returned ?? []).map((row) => toSettlement(row as unknown as QuotaSettlementsTable));
}

/** Age of the oldest row that is not settled, work that goes on aside, ms by the database's clock; 0: there is none. */
export async function oldestSettlementMs(store: Store): Promise<number> {
  const [row] = await store.read(oldest.with({}));
  return Math.max(0, row?.age ?? 0);
}

interface Columns {
  readonly id: string;
  readonly project: string;
  readonly deltas: string;
  readonly resource_type: string;
  readonly resource_id: string;
}

function columns({ id, projectId, deltas, resourceType, resourceId }: NewSettlement): Columns {
  return {
    id,
    project: projectId,
    deltas: JSON.stringify(deltas),
    resource_type: resourceType,
    resource_id: resourceId,
  };
}

function toSettlement(row: QuotaSettlementsTable): Settlement {
  return {
    id: row.id,
    projectId: row.project_id,
    kind: row.kind,
    state: row.state,
    ...deltasIn(row.deltas),
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    until: row.until,
    createdAt: row.created_at,
  };
}

const insert = statement<Columns & { kind: 'charge' | 'hold' }>()(({ db, now }, p) =>
  db.insertInto('quota_settlements').values({
    id: p.id,
    project_id: p.project,
    kind: p.kind,
    state: 'open',
    deltas: p.deltas,
    resource_type: p.resource_type,
    resource_id: p.resource_id,
    until: null,
    lease_owner: null,
    lease_until: 0,
    created_at: now,
  }),
);

const insertWithUntil = statement<Columns & { grace: number }>()(({ db, now }, p) =>
  db.insertInto('quota_settlements').values({
    id: p.id,
    project_id: p.project,
    kind: 'release',
    state: 'open',
    deltas: p.deltas,
    resource_type: p.resource_type,
    resource_id: p.resource_id,
    until: sql<number>`${now} + ${p.grace}`,
    lease_owner: null,
    lease_until: 0,
    created_at: now,
  }),
);

const deleteCharge = statement<{ id: string }>()(({ db }, p) =>
  db.deleteFrom('quota_settlements').where('id', '=', p.id).where('kind', '=', 'charge').where('state', '=', 'open'),
);

const remove = statement<{ id: string; state: Settlement['state'] }>()(({ db }, p) =>
  db.deleteFrom('quota_settlements').where('id', '=', p.id).where('state', '=', p.state),
);

const disown = statement<{ id: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ state: 'void' })
    .where('id', '=', p.id)
    .where('kind', 'in', ['charge', 'hold'])
    .where('state', '=', 'open'),
);

const disownAll = statement<{ project: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ state: 'void' })
    .where('project_id', '=', p.project)
    .where('kind', 'in', ['charge', 'hold'])
    .where('state', '=', 'open'),
);

const undo = statement<{ id: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ state: 'undo' })
    .where('id', '=', p.id)
    .where('kind', 'in', ['charge', 'hold'])
    .where('state', 'in', ['open', 'void', 'held']),
);

const undoHolds = statement<{ type: string; id: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ state: 'undo' })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('kind', '=', 'hold')
    .where('state', 'in', ['open', 'void', 'held']),
);

const move = statement<{ id: string; from: Settlement['state']; to: Settlement['state'] }>()(({ db }, p) =>
  db.updateTable('quota_settlements').set({ state: p.to }).where('id', '=', p.id).where('state', '=', p.from),
);

const find = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('quota_settlements').selectAll().where('id', '=', p.id),
);

const findAll = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db.selectFrom('quota_settlements').selectAll().where('id', 'in', listIn(dialect, p.ids)),
);

interface Take {
  readonly owner: string;
  readonly age: number;
  readonly down: number;
  readonly lease: number;
  readonly limit: number;
}

const take = statement<Take>()(({ db, dialect, now }, p) => {
  const ofTheDead = (outer: ExpressionBuilder<Schema, 'quota_settlements'>) =>
    outer
      .selectFrom('workers as w')
      .innerJoin('processes as p', 'p.incarnation', 'w.owner')
      .select('w.owner')
      .whereRef('w.resource_type', '=', 'quota_settlements.resource_type')
      .whereRef('w.resource_id', '=', 'quota_settlements.resource_id')
      .where('w.state', '=', 'staged')
      .where((eb) =>
        eb.or([
          eb('p.stopped_at', 'is not', null),
          eb('p.heartbeat_at', '<', sql<number>`${now} - ${p.down}`),
          eb.exists(
            eb
              .selectFrom('processes as newer')
              .select('newer.incarnation')
              .whereRef('newer.binary', '=', 'p.binary')
              .whereRef('newer.host', '=', 'p.host')
              .whereRef('newer.endpoint', '=', 'p.endpoint')
              .whereRef('newer.started_at', '>', 'p.started_at'),
          ),
        ]),
      );
  const due = db
    .selectFrom('quota_settlements')
    .select('id')
    .where((eb) =>
      eb.or([
        eb('created_at', '<=', sql<number>`${now} - ${p.age}`),
        eb('created_at', '>', now), // as below
        eb.exists(ofTheDead(eb)),
      ]),
    )
    // one that ends later than ours would is from before the clock was set back
    .where((eb) => eb.or([eb('lease_until', '<=', now), eb('lease_until', '>', sql<number>`${now} + ${p.lease}`)]))
    .where('state', '<>', 'held')
    .orderBy('lease_until')
    .orderBy('created_at')
    .limit(p.limit);
  return db
    .updateTable('quota_settlements')
    .set({ lease_owner: p.owner, lease_until: sql<number>`${now} + ${p.lease}` })
    .where('id', 'in', dialect === 'postgres' ? due.forUpdate().skipLocked() : due)
    .returningAll();
});

const oldest = statement()(({ db, now }) =>
  db
    .selectFrom('quota_settlements')
    .select(since(now, 'created_at').as('age'))
    .where('state', '<>', 'held')
    .orderBy('created_at')
    .limit(1),
);
