import { sql } from 'kysely';
import { type DialectName, type NoParams, type Statement, since, statement, type Tools } from './statement.js';
import type { Step, Store } from './store.js';
import { payloadColumn } from './volume-rows.js';

/** A place in the order of events: after the event with these numbers. */
export interface EventCursor {
  readonly tx: number;
  readonly seq: number;
}

/** An event as it is kept. */
export interface EventRow extends EventCursor {
  readonly projectId: string;
  readonly resourceId: string;
  /** e.g. `volume.create.start`. */
  readonly type: string;
  /** For `changeOfPayload`. */
  readonly payload: string;
}

/** Which of two places comes first: negative, 0, positive. */
export function compareCursors(a: EventCursor, b: EventCursor): number {
  return a.tx - b.tx || a.seq - b.seq;
}

/** Appends the volume as the statements before it in the same unit left it, computed by the database: nothing is read. */
export function appendVolumeEvent(event: {
  readonly volumeId: string;
  readonly type: string;
  readonly requestId: string;
}): Step {
  const { volumeId, type, requestId } = event;
  return { statement: append.with({ volumeId, type, requestId }), rows: 1 };
}

/** As `appendVolumeEvent`, with how far long work on the volume is. Rule: docs/adr/0008-progress-is-events.md. */
export function appendVolumeProgress(event: {
  readonly volumeId: string;
  readonly type: string;
  readonly requestId: string;
  /** 0 to 100. */
  readonly percent: number;
}): Step {
  const { volumeId, type, requestId, percent } = event;
  return { statement: appendProgress.with({ volumeId, type, requestId, percent }), rows: 1 };
}

/** Removes how far a volume's creation was, which nobody needs any more; later events must follow in the same unit. */
export function deleteCreationProgress(volumeId: string): Step {
  return { statement: deleteProgress.with({ volumeId }) };
}

/** Whether a step appends an event, so that watchers have something to read. */
export function isEvent({ statement }: Step): boolean {
  return APPENDS.has(statement.statement);
}

/** The next events after a cursor, in their order, at most `limit`. */
export async function readEvents(store: Store, { tx, seq }: EventCursor, limit: number): Promise<readonly EventRow[]> {
  return store.read(readAfter.with({ tx, seq, limit }));
}

/**
 * The ends of what can be read: up to `horizon` everything was purged, `head` is the newest that is kept, and after `last`
 * nothing can have been read yet. An event between the two was removed since.
 */
export interface EventRange {
  readonly horizon: EventCursor;
  readonly head: EventCursor;
  readonly last: EventCursor;
}

export async function eventRange(store: Store): Promise<EventRange> {
  const [row] = await store.read(range.with({}));
  if (!row) throw new Error('the table event_horizon is empty');
  const horizon = { tx: row.horizonTx, seq: row.horizonSeq };
  // when everything was purged, nothing is newer than the horizon
  const head = row.headTx === null || row.headSeq === null ? horizon : { tx: row.headTx, seq: row.headSeq };
  return { horizon, head, last: row.openTx === null ? head : { tx: row.openTx - 1, seq: Number.MAX_SAFE_INTEGER } };
}

/** Age of the first event after a cursor, final or not, ms by the database's clock; 0: there is none. */
export async function ageOfNext(store: Store, { tx, seq }: EventCursor): Promise<number> {
  const [row] = await store.read(nextAge.with({ tx, seq }));
  return Math.max(0, row?.age ?? 0);
}

interface AppendParams {
  readonly volumeId: string;
  readonly type: string;
  readonly requestId: string;
}

const appended = ({ db, dialect, now }: Tools, p: AppendParams, percent?: number) =>
  db
    .insertInto('events')
    .columns(['project_id', 'resource_type', 'resource_id', 'type', 'payload', 'request_id', 'created_at'])
    .expression(
      db
        .selectFrom('volumes')
        .select([
          'project_id',
          sql.lit('Volume').as('resource_type'),
          'id',
          sql<string>`cast(${p.type} as text)`.as('type'),
          payloadColumn(dialect, percent).as('payload'),
          sql<string>`cast(${p.requestId} as text)`.as('request_id'),
          now.as('created_at'),
        ])
        .where('id', '=', p.volumeId),
    );

const append = statement<AppendParams>()((tools, p) => appended(tools, p));

const appendProgress = statement<AppendParams & { readonly percent: number }>()((tools, p) =>
  appended(tools, p, p.percent),
);

const APPENDS: ReadonlySet<unknown> = new Set([append, appendProgress]);

/** The type is part of the text: the index holds only events of this one. */
const deleteProgress = statement<{ volumeId: string }>()(({ db }, p) =>
  db
    .deleteFrom('events')
    .where('resource_id', '=', p.volumeId)
    .where(sql<boolean>`type = 'volume.create.progress'`),
);

/**
 * What will not get a predecessor any more. PostgreSQL gives numbers before it commits: an event is final only when
 * every transaction that began before its own has ended.
 */
export const finalEvents = ({ db, dialect }: Tools) => {
  const events = db.selectFrom('events');
  return dialect === 'sqlite' ? events : events.where('tx', '<', oldestOpenTx);
};

/** PostgreSQL only. It never goes back. */
const oldestOpenTx = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;

/**
 * Compares a row's place with a cursor. On SQLite `tx` is always 0, and two columns would keep the comparison from being
 * answered by an index.
 */
export const place = (dialect: DialectName, than: '>' | '<=' | '<', { tx, seq }: EventCursor) =>
  dialect === 'sqlite'
    ? sql<boolean>`seq ${sql.raw(than)} ${seq}`
    : sql<boolean>`(tx, seq) ${sql.raw(than)} (${tx}, ${seq})`;

/** The order of events, as `orderBy` wants it. */
export const inOrder = (dialect: DialectName, direction: 'asc' | 'desc' = 'asc') =>
  dialect === 'sqlite' ? sql`seq ${sql.raw(direction)}` : sql`tx ${sql.raw(direction)}, seq ${sql.raw(direction)}`;

const readAfter = statement<EventCursor & { readonly limit: number }>()((tools, p) =>
  finalEvents(tools)
    .select(['tx', 'seq', 'project_id as projectId', 'resource_id as resourceId', 'type', 'payload'])
    .where(place(tools.dialect, '>', p))
    .orderBy(inOrder(tools.dialect))
    .limit(p.limit),
);

const nextAge = statement<EventCursor>()(({ db, dialect, now }, p) =>
  db
    .selectFrom('events')
    .select(since(now, 'created_at').as('age'))
    .where(place(dialect, '>', p))
    .orderBy(inOrder(dialect))
    .limit(1),
);

const range: Statement<NoParams, RangeRow> = statement()((tools) =>
  tools.db
    .selectFrom('event_horizon')
    .leftJoin(
      finalEvents(tools).select(['tx', 'seq']).orderBy(inOrder(tools.dialect, 'desc')).limit(1).as('head'),
      (join) => join.onTrue(),
    )
    .select([
      ...(['event_horizon.tx as horizonTx', 'event_horizon.seq as horizonSeq'] as const),
      ...(['head.tx as headTx', 'head.seq as headSeq'] as const),
      (tools.dialect === 'sqlite' ? sql<number | null>`null` : sql<number | null>`${oldestOpenTx}`).as('openTx'),
    ]),
);

interface RangeRow {
  readonly horizonTx: number;
  readonly horizonSeq: number;
  readonly headTx: number | null;
  readonly headSeq: number | null;
  readonly openTx: number | null;
}
