import { type Expression, type ExpressionBuilder, type RawBuilder, sql, type SqlBool } from 'kysely';
import type { RequestContext } from '../objects/request-context.js';
import type { Schema } from './schema.js';

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

/** Whose work it is to be, as one text: all that goes to one target has the same. */
export function laneOf(binary: string, target: string | null): string {
  return `${binary} ${target ?? ''}`;
}

/** For how long after a send nobody else sends the row, ms. */
export const SEND_LEASE_MS = 2_000;

/** A row at one point of its life, as statements name it. */
export interface RowKey {
  readonly type: string;
  readonly id: string;
  readonly epoch: number;
}

/** What a row says of its work. */
export interface RowColumns {
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

type OfWorkers = (eb: ExpressionBuilder<Schema, 'workers'>) => Expression<SqlBool>;

/** The row of a resource, whatever its epoch. */
export const rowOf =
  ({ type, id }: Pick<RowKey, 'type' | 'id'>): OfWorkers =>
  (eb) =>
    eb.and({ resource_type: type, resource_id: id });

/** The row of a resource, if it is still as it was at an epoch. */
export const rowAt =
  ({ type, id, epoch }: RowKey): OfWorkers =>
  (eb) =>
    eb.and({ resource_type: type, resource_id: id, epoch });

/** More than anything is counted to: the longest rest is half a minute, and the oldest work is a day old. */
const MOST = 1_000_000;

/** A count and one more. What nobody has counted up to was set by hand, and begins anew: an overflow would fail the rows beside it. */
export function oneMore(count: 'claims' | 'sends'): RawBuilder<number> {
  const column = sql.ref(`workers.${count}`);
  return sql<number>`case when ${column} between 0 and ${sql.lit(MOST)} then ${column} + 1 else 1 end`;
}

/** Whether a program can say an epoch exactly. */
export const isNameable: RawBuilder<boolean> = sql`workers.epoch between ${sql.lit(-Number.MAX_SAFE_INTEGER)} and ${sql.lit(Number.MAX_SAFE_INTEGER)}`;

/** An epoch that a program can say exactly; one that was set by hand to another gives way to the clock's ms, as of a new row. */
export function nameable(now: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`case when ${isNameable} then workers.epoch else ${now} end`;
}
