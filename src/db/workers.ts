import { sql } from 'kysely';
import type { RequestContext } from '../objects/request-context.js';
import { statement } from './statement.js';
import type { Step } from './store.js';

/** Whose work it is. */
export interface WorkerKey {
  readonly resourceType: 'Volume' | 'Snapshot';
  readonly resourceId: string;
}

/** An owner's hold on a row. */
export interface WorkerHold extends WorkerKey {
  readonly epoch: number;
  readonly owner: string;
}

/** A cast as the row keeps it: the newest, full form of the message. */
export interface CastMessage {
  readonly binary: 'cinder-scheduler' | 'cinder-volume';
  /** The RPC's name, e.g. `CreateVolume`. */
  readonly method: string;
  readonly payload: Buffer;
  /** Lowest RPC version that understands the payload. */
  readonly payloadVersion: string;
}

/** What a new row needs. */
export interface NewWorker extends WorkerKey {
  /** The transient status of the resource. */
  readonly status: string;
  /** `host@backend`; null: any process of the binary. */
  readonly target: string | null;
  readonly message: CastMessage;
  readonly context: RequestContext;
}

/** Where work goes on. */
export interface HandOver {
  readonly status: string;
  readonly target: string | null;
  readonly message: CastMessage;
  /** Wait at least so long before it is sent, ms. @default 0: the writer sends it at once */
  readonly delayMs?: number;
}

/** A row on its way. */
export interface ReadyWorker extends WorkerKey {
  readonly epoch: number;
  readonly target: string | null;
  readonly message: CastMessage;
  readonly context: RequestContext;
  /** How often it was sent, this time included. */
  readonly sends: number;
  /** Since the row was made, ms by the database's clock. */
  readonly ageMs: number;
  readonly status: string;
  /** What of the row cannot be read, in words; absent: all can. */
  readonly damage?: string;
}

/** For how long after a send nobody else sends the row, ms. */
export const SEND_LEASE_MS = 2_000;

/** Records work that must not begin before its quota is decided. Rule: docs/protocols.md §W, tx1. */
export function insertStagedWorker(worker: NewWorker, owner: string): Step {
  return { statement: insertStaged.with({ ...columns(worker), owner }), rows: 1 };
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

/** What a receiver claims. */
export interface ClaimOfWorker extends WorkerKey {
  /** As the message says; null: whatever the row says. */
  readonly epoch: number | null;
  readonly owner: string;
  readonly binary: string;
  readonly target: string | null;
  readonly serviceId: string | null;
}

/** Makes a ready row ours if the message is still current. Returns `epoch`, `claims` and `age` in ms; no row: superseded. */
export function claimWorker(hold: ClaimOfWorker): Step {
  return {
    statement: claimReady.with({
      type: hold.resourceType,
      id: hold.resourceId,
      epoch: hold.epoch ?? 0,
      last_epoch: hold.epoch ?? Number.MAX_SAFE_INTEGER,
      owner: hold.owner,
      binary: hold.binary,
      target: hold.target ?? '',
      service_id: hold.serviceId,
    }),
  };
}

/** First statement of every transaction of the work. */
export function fenceWorker(hold: WorkerHold): Step {
  return { statement: fence.with(held(hold)), rows: 1 };
}

/** Last statement of the transaction that ends the work. */
export function deleteWorker(hold: WorkerHold): Step {
  return { statement: finish.with(held(hold)), rows: 1 };
}

/** Ends work that nobody owns: refused, too old, or replaced. */
export function deleteReadyWorker(key: WorkerKey & { readonly epoch: number }): Step {
  return { statement: deleteReady.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch }), rows: 1 };
}

/** Ends whatever work is recorded for a resource. */
export function deleteAnyWorker(key: WorkerKey): Step {
  return { statement: deleteAny.with({ type: key.resourceType, id: key.resourceId }) };
}

/** Gives the row to another binary, epoch + 1. */
export function handOverWorker(hold: WorkerHold, next: HandOver): Step {
  return {
    statement: give.with({
      ...held(hold),
      status: next.status,
      target: next.target,
      method: next.message.method,
      binary: next.message.binary,
      payload: next.message.payload,
      payload_version: next.message.payloadVersion,
      delay: next.delayMs ?? 0,
      lease: next.delayMs === undefined ? SEND_LEASE_MS : 0,
      sends: next.delayMs === undefined ? 1 : 0,
    }),
    rows: 1,
  };
}

/** Gives claimed work back unbegun; the claim does not count. */
export function giveBackWorker(hold: WorkerHold, delayMs: number): Step {
  return { statement: giveBack.with({ ...held(hold), delay: delayMs }), rows: 1 };
}

/** A send failed: nobody sends the row before the delay is over. */
export function delayWorker(key: WorkerKey & { readonly epoch: number }, delayMs: number): Step {
  return { statement: delay.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch, delay: delayMs }) };
}

/** A process of the binary has come up: what waited for it need not wait longer. */
export function hastenWorkers(binary: string): Step {
  return { statement: hasten.with({ binary }) };
}

/** Makes a row of a dead owner ours. No row: somebody was faster. Returns `claims`. */
export function takeOverWorker(
  orphan: WorkerKey & { readonly epoch: number },
  me: { readonly owner: string; readonly serviceId: string | null },
): Step {
  return {
    statement: takeOver.with({
      type: orphan.resourceType,
      id: orphan.resourceId,
      epoch: orphan.epoch,
      owner: me.owner,
      service_id: me.serviceId,
    }),
  };
}

/** Puts a claimed row back on its way, whoever had it. Touches none that has changed since. */
export function disownWorker(key: WorkerKey & { readonly epoch: number }): Step {
  return { statement: disown.with({ type: key.resourceType, id: key.resourceId, epoch: key.epoch }) };
}

interface Key {
  readonly type: string;
  readonly id: string;
  readonly epoch: number;
}

interface Held extends Key {
  readonly owner: string;
}

interface Columns {
  readonly resource_type: string;
  readonly resource_id: string;
  readonly status: string;
  readonly method: string;
  readonly binary: string;
  readonly target: string | null;
  readonly payload: Buffer;
  readonly payload_version: string;
  readonly context: string;
}

function held(hold: WorkerHold): Held {
  return { type: hold.resourceType, id: hold.resourceId, epoch: hold.epoch, owner: hold.owner };
}

function columns(worker: NewWorker): Columns {
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

const insertStaged = statement<Columns & { owner: string }>()(({ db, now }, p) =>
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

const putReady = statement<Columns>()(({ db, now }, p) =>
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

const readyStaged = statement<Key>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ state: 'ready', owner: null, sends: 1, send_until: sql<number>`${now} + ${SEND_LEASE_MS}`, updated_at: now })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('state', '=', 'staged'),
);

const claimReady = statement<
  Held & { last_epoch: number; binary: string; target: string; service_id: string | null }
>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'claimed',
      owner: p.owner,
      service_id: p.service_id,
      epoch: sql<number>`epoch + 1`,
      claims: sql<number>`claims + 1`,
      updated_at: now,
    })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('state', '=', 'ready')
    .where('epoch', '>=', p.epoch)
    .where('epoch', '<=', p.last_epoch)
    .where('binary', '=', p.binary)
    .where((eb) => eb.or([eb('target', 'is', null), eb('target', '=', p.target)]))
    .returning(['epoch', 'claims', sql<number>`${now} - created_at`.as('age')]),
);

const fence = statement<Held>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ updated_at: now })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('owner', '=', p.owner),
);

const finish = statement<Held>()(({ db }, p) =>
  db
    .deleteFrom('workers')
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('owner', '=', p.owner),
);

const deleteReady = statement<Key>()(({ db }, p) =>
  db
    .deleteFrom('workers')
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('state', '=', 'ready'),
);

const deleteAny = statement<Omit<Key, 'epoch'>>()(({ db }, p) =>
  db.deleteFrom('workers').where('resource_type', '=', p.type).where('resource_id', '=', p.id),
);

const give = statement<
  Held & Omit<Columns, 'resource_type' | 'resource_id' | 'context'> & { delay: number; lease: number; sends: number }
>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'ready',
      status: p.status,
      method: p.method,
      binary: p.binary,
      target: p.target,
      payload: p.payload,
      payload_version: p.payload_version,
      owner: null,
      service_id: null,
      epoch: sql<number>`epoch + 1`,
      claims: 0,
      sends: p.sends,
      not_before: sql<number>`${now} + ${p.delay}`,
      send_until: sql<number>`${now} + ${p.lease}`,
      updated_at: now,
    })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('owner', '=', p.owner),
);

const giveBack = statement<Held & { delay: number }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'ready',
      owner: null,
      service_id: null,
      epoch: sql<number>`epoch + 1`,
      claims: sql<number>`claims - 1`,
      not_before: sql<number>`${now} + ${p.delay}`,
      send_until: 0,
      updated_at: now,
    })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('owner', '=', p.owner),
);

const delay = statement<Key & { delay: number }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ not_before: sql<number>`${now} + ${p.delay}`, send_until: 0 })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
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

const takeOver = statement<Held & { service_id: string | null }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'claimed',
      owner: p.owner,
      service_id: p.service_id,
      epoch: sql<number>`epoch + 1`,
      claims: sql<number>`claims + 1`,
      updated_at: now,
    })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .returning('claims'),
);

const disown = statement<Key>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({ state: 'ready', owner: null, service_id: null, epoch: sql<number>`epoch + 1`, updated_at: now })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('state', '=', 'claimed'),
);
