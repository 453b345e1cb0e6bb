import { sql } from 'kysely';
import { since, statement } from './statement.js';
import type { Step } from './store.js';
import {
  type HandOver,
  oneMore,
  rowAt,
  type RowColumns,
  type RowKey,
  rowOf,
  SEND_LEASE_MS,
  type WorkerHold,
  type WorkerKey,
} from './worker-row.js';

/** What owners do with the rows of their work. Rule: docs/protocols.md §W. */

/** What a receiver claims. */
export interface ClaimOfWorker extends WorkerKey {
  /** As the message says; null: whatever the row says. */
  readonly epoch: number | null;
  readonly owner: string;
  readonly binary: string;
  readonly target: string | null;
  readonly serviceId: string | null;
  /** Work that was asked for longer ago waits for its turn: it counts when it is begun, by `countWorker`. @default never */
  readonly lateAfterMs?: number;
}

/** Makes a ready row ours if the message is still current. Returns `epoch`, `claims` and `age_ms`; no row: superseded. */
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
      late_after: hold.lateAfterMs ?? Number.MAX_SAFE_INTEGER,
    }),
  };
}

/** Notes that work is begun which did not count when it was taken. Returns `claims`. */
export function countWorker(hold: WorkerHold): Step {
  return { statement: count.with(held(hold)), rows: 1 };
}

/** First statement of every transaction of the work. */
export function fenceWorker(hold: WorkerHold): Step {
  return { statement: fence.with(held(hold)), rows: 1 };
}

/** Last statement of the transaction that ends the work. */
export function deleteWorker(hold: WorkerHold): Step {
  return { statement: finish.with(held(hold)), rows: 1 };
}

/** Gives the row to another binary, epoch + 1. */
export function handOverWorker(hold: WorkerHold, next: HandOver): Step {
  return {
    statement: give.with({
      status: next.status,
      ...held(hold),
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

/** Gives claimed work back; the claim does not count. `isCounted`: whether it does so far. */
export function giveBackWorker(hold: WorkerHold, delayMs: number, isCounted = true): Step {
  return { statement: giveBack.with({ ...held(hold), delay: delayMs, counted: isCounted ? 1 : 0 }), rows: 1 };
}

/** Makes a row of a dead owner ours; it counts when it is begun, by `countWorker`. No row: somebody was faster. Returns `claims`. */
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

interface Held extends RowKey {
  readonly owner: string;
}

function held(hold: WorkerHold): Held {
  return { type: hold.resourceType, id: hold.resourceId, epoch: hold.epoch, owner: hold.owner };
}

const claimReady = statement<
  Held & { last_epoch: number; binary: string; target: string; service_id: string | null; late_after: number }
>({ isSingle: true })(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'claimed',
      owner: p.owner,
      service_id: p.service_id,
      epoch: sql<number>`epoch + 1`,
      claims: sql<number>`case when created_at < ${now} - ${p.late_after} then claims else ${oneMore('claims')} end`,
      updated_at: now,
    })
    .where(rowOf(p))
    .where('state', '=', 'ready')
    .where('epoch', '>=', p.epoch)
    .where('epoch', '<=', p.last_epoch)
    .where('binary', '=', p.binary)
    .where((eb) => eb.or([eb('target', 'is', null), eb('target', '=', p.target)]))
    .returning(['epoch', 'claims', since(now, 'created_at').as('age_ms')]),
);

const count = statement<Held>({ isSingle: true })(({ db }, p) =>
  db
    .updateTable('workers')
    .set({ claims: oneMore('claims') })
    .where(rowAt(p))
    .where('owner', '=', p.owner)
    .returning('claims'),
);

const fence = statement<Held>()(({ db, now }, p) =>
  db.updateTable('workers').set({ updated_at: now }).where(rowAt(p)).where('owner', '=', p.owner),
);

const finish = statement<Held>()(({ db }, p) => db.deleteFrom('workers').where(rowAt(p)).where('owner', '=', p.owner));

const give = statement<
  Held & Omit<RowColumns, 'resource_type' | 'resource_id' | 'context'> & { delay: number; lease: number; sends: number }
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
    .where(rowAt(p))
    .where('owner', '=', p.owner),
);

const giveBack = statement<Held & { delay: number; counted: number }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'ready',
      owner: null,
      service_id: null,
      epoch: sql<number>`epoch + 1`,
      claims: sql<number>`claims - ${p.counted}`,
      not_before: sql<number>`${now} + ${p.delay}`,
      send_until: 0,
      updated_at: now,
    })
    .where(rowAt(p))
    .where('owner', '=', p.owner),
);

const takeOver = statement<Held & { service_id: string | null }>({ isSingle: true })(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'claimed',
      owner: p.owner,
      service_id: p.service_id,
      epoch: sql<number>`epoch + 1`,
      // an end in good order says nothing of the work: only owners that died may have died of it
      claims: sql<number>`claims - case when claims > 0 and exists (
        select 1 from processes where incarnation = workers.owner and stopped_at is not null) then 1 else 0 end`,
      updated_at: now,
    })
    .where(rowAt(p))
    .returning('claims'),
);
