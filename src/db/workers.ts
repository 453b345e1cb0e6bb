import { sql } from 'kysely';
import { serving } from './serving.js';
import { statement } from './statement.js';
import type { Step } from './store.js';
import {
  isNameable,
  nameable,
  type NewWorker,
  rowAt,
  type RowColumns,
  type RowKey,
  rowOf,
  SEND_LEASE_MS,
  type WorkerKey,
} from './worker-row.js';

/** Rows of work that nobody owns: how they come, go on their way, and end. Rule: docs/protocols.md §W. */

/** Records work that must not begin before its quota is decided. Rule: docs/protocols.md §W, tx1. */
export function insertStagedWorker(worker: NewWorker, owner: string): Step {
  return { statement: insertStaged.with({ owner, ...columns(worker) }), rows: 1 };
}

/**
 * Records work that may begin at once; replaces the row of an older operation on the resource, whose owner is fenced by
 * the higher epoch. A new row begins at the clock's ms: no epoch of a resource ever comes back, so that messages and owners
 * of work that is over stay fenced. Returns the row's `epoch`.
 */
export function putReadyWorker(worker: NewWorker): Step {
  return { statement: putReady.with(columns(worker)), rows: 1 };
}

/** Quota is decided: the staged row may be sent, and its writer sends it. */
export function readyStagedWorker(key: WorkerKey & { readonly epoch: number }): Step {
  return { statement: readyStaged.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch }), rows: 1 };
}

/** Ends work that nobody owns: refused, too old, or replaced. */
export function deleteReadyWorker(key: WorkerKey & { readonly epoch: number }): Step {
  return { statement: deleteReady.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch }), rows: 1 };
}

/** Ends whatever work is recorded for a resource. */
export function deleteAnyWorker(key: WorkerKey): Step {
  return { statement: deleteAny.with({ type: key.resourceType, id: key.resourceId }) };
}

/** A send failed: nobody sends the row before the delay is over. */
export function delayWorker(key: WorkerKey & { readonly epoch: number }, delayMs: number): Step {
  return { statement: delay.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch, delay: delayMs }) };
}

/** A process of the binary has come up: what waited for it need not wait longer. */
export function hastenWorkers(binary: string): Step {
  return { statement: hasten.with({ binary }) };
}

/** Puts a claimed row back on its way, whoever had it. Touches none that has changed since. */
export function disownWorker(key: WorkerKey & { readonly epoch: number }): Step {
  return { statement: disown.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch }) };
}

/** What counts as abandoned. */
export interface Abandoned {
  readonly olderThanMs: number;
  /** Heartbeat age at which an owner, or a service, counts as dead, ms. */
  readonly downAfterMs: number;
  readonly limit: number;
}

/**
 * Puts old claimed rows back on their way whose owner is dead, and whose binary or backend nobody is there to take them over for;
 * and those whose epoch was set by hand to one that no owner can say.
 */
export function disownAbandoned({ olderThanMs, downAfterMs, limit }: Abandoned): Step {
  return { statement: disownOld.with({ age: olderThanMs, down: downAfterMs, limit }) };
}

function columns(worker: NewWorker): RowColumns {
  return {
    resource_type: worker.resourceType,
    resource_id: worker.resourceId,
    status: worker.status,
    method: worker.message.method,
    binary: worker.message.binary,
    target: worker.target,
    payload: worker.message.payload,
    payload_version: worker.message.payloadVersion,
    context: JSON.stringify(worker.context),
  };
}

const insertStaged = statement<RowColumns & { owner: string }>()(({ db, now }, p) =>
  db.insertInto('workers').values({
    resource_type: p.resource_type,
    resource_id: p.resource_id,
    status: p.status,
    method: p.method,
    binary: p.binary,
    target: p.target,
    payload: p.payload,
    payload_version: p.payload_version,
    context: p.context,
    owner: p.owner,
    state: 'staged',
    epoch: 1,
    service_id: null,
    claims: 0,
    sends: 0,
    not_before: 0,
    send_until: 0,
    created_at: now,
    updated_at: now,
  }),
);

const putReady = statement<RowColumns>()(({ db, now }, p) =>
  db
    .insertInto('workers')
    .values({
      resource_type: p.resource_type,
      resource_id: p.resource_id,
      status: p.status,
      method: p.method,
      binary: p.binary,
      target: p.target,
      payload: p.payload,
      payload_version: p.payload_version,
      context: p.context,
      owner: null,
      state: 'ready',
      epoch: now,
      service_id: null,
      claims: 0,
      sends: 1,
      not_before: 0,
      send_until: sql<number>`${now} + ${SEND_LEASE_MS}`,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) =>
      conflict.columns(['resource_type', 'resource_id']).doUpdateSet((eb) => ({
        status: eb.ref('excluded.status'),
        method: eb.ref('excluded.method'),
        binary: eb.ref('excluded.binary'),
        target: eb.ref('excluded.target'),
        payload: eb.ref('excluded.payload'),
        payload_version: eb.ref('excluded.payload_version'),
        context: eb.ref('excluded.context'),
        owner: null,
        state: 'ready',
        epoch: sql<number>`workers.epoch + 1`,
        service_id: null,
        claims: 0,
        sends: 1,
        not_before: 0,
        send_until: eb.ref('excluded.send_until'),
        created_at: eb.ref('excluded.created_at'),
        updated_at: eb.ref('excluded.updated_at'),
      })),
    )
    .returning('epoch'),
);

const readyStaged = statement<RowKey>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ state: 'ready', owner: null, sends: 1, send_until: sql<number>`${now} + ${SEND_LEASE_MS}`, updated_at: now })
    .where(rowAt(p))
    .where('state', '=', 'staged'),
);

const deleteReady = statement<RowKey>()(({ db }, p) =>
  db.deleteFrom('workers').where(rowAt(p)).where('state', '=', 'ready'),
);

const deleteAny = statement<Omit<RowKey, 'epoch'>>()(({ db }, p) => db.deleteFrom('workers').where(rowOf(p)));

const delay = statement<RowKey & { delay: number }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ not_before: sql<number>`${now} + ${p.delay}`, send_until: 0 })
    .where(rowAt(p))
    .where('state', '=', 'ready'),
);

const hasten = statement<{ binary: string }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set({ not_before: 0 })
    .where('state', '=', 'ready')
    .where('binary', '=', p.binary)
    .where('not_before', '>', 0),
);

const disown = statement<RowKey>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ state: 'ready', owner: null, service_id: null, epoch: sql<number>`epoch + 1`, updated_at: now })
    .where(rowAt(p))
    .where('state', '=', 'claimed'),
);

const disownOld = statement<{ age: number; down: number; limit: number }>()((tools, p) => {
  const { db, now } = tools;
  const abandoned = db
    .selectFrom('workers as w')
    .select(['w.resource_type', 'w.resource_id'])
    .where('w.state', '=', 'claimed')
    .where('w.created_at', '<', sql<number>`${now} - ${p.age}`)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('processes as p')
            .select('p.incarnation')
            .whereRef('p.incarnation', '=', 'w.owner')
            .where('p.stopped_at', 'is', null)
            .where('p.heartbeat_at', '>=', sql<number>`${now} - ${p.down}`),
        ),
      ),
    )
    .where((eb) => eb.not(eb.exists(serving(tools, p.down))))
    .orderBy('w.created_at')
    .limit(p.limit);
  return db
    .updateTable('workers')
    .set({
      ...{ state: 'ready', owner: null, service_id: null, epoch: sql<number>`${nameable(now)} + 1` },
      ...{ not_before: 0, send_until: 0, updated_at: now },
    })
    .where('state', '=', 'claimed')
    .where((eb) =>
      eb.or([
        eb.not(isNameable),
        eb(eb.refTuple('resource_type', 'resource_id'), 'in', abandoned.$asTuple('resource_type', 'resource_id')),
      ]),
    );
});
