import { sql } from 'kysely';
import { type EventCursor, finalEvents, inOrder, place } from './events.js';
import { listIn } from './json.js';
import { statement, type Tools } from './statement.js';
import type { Step, Store } from './store.js';

/** How long things are kept after they ended, ms, by the database's clock. */
export interface Retention {
  /** Deleted volumes. @default 7 days */
  readonly deletedVolumesMs?: number;
  /** Events: how far back a watch can be resumed. @default 7 days */
  readonly eventsMs?: number;
  /** Idempotency keys. @default 24 hours */
  readonly idempotencyMs?: number;
  /** Processes that ended, or were not heard of any more. @default 1 day */
  readonly processesMs?: number;
  /** Notes of what may be left on a backend, should it never come back to look. @default 90 days */
  readonly leftoversMs?: number;
}

export interface Purged {
  readonly volumes: number;
  readonly events: number;
  readonly messages: number;
  readonly idempotencyKeys: number;
  readonly processes: number;
  readonly leftovers: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows a transaction: short enough to wait for. */
const BATCH = 500;
/** Batches a table and call; the next call goes on. */
const MAX_BATCHES = 200;
/** Rows of a table that one call removes at most. */
export const MOST_PURGED = MAX_BATCHES * BATCH;

/** Removes for good what was kept long enough. Safe to repeat and to run in several processes. Says what
 * it removed; when it is called off it stops after a batch. */
export async function purge(store: Store, retention: Retention = {}, signal?: AbortSignal): Promise<Purged> {
  const {
    deletedVolumesMs = 7 * DAY_MS,
    eventsMs = 7 * DAY_MS,
    idempotencyMs = DAY_MS,
    processesMs = DAY_MS,
    leftoversMs = 90 * DAY_MS,
  } = retention;
  return {
    volumes: await inBatches(() => purgeVolumes(store, deletedVolumesMs), signal),
    events: await inBatches(() => purgeEvents(store, eventsMs), signal),
    messages: await inBatches(() => remove(store, { statement: messages.with({ limit: BATCH }) }), signal),
    idempotencyKeys: await inBatches(
      () => remove(store, { statement: idempotencyKeys.with({ ageMs: idempotencyMs, limit: BATCH }) }),
      signal,
    ),
    processes: await inBatches(
      () => remove(store, { statement: processes.with({ ageMs: processesMs, limit: BATCH }) }),
      signal,
    ),
    leftovers: await inBatches(
      () => remove(store, { statement: leftovers.with({ ageMs: leftoversMs, limit: BATCH }) }),
      signal,
    ),
  };
}

/** Repeats until a batch is not full. */
async function inBatches(batch: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  let total = 0;
  for (let i = 0; i < MAX_BATCHES; i++) {
    if (signal?.aborted) break;
    const removed = await batch();
    total += removed;
    if (removed < BATCH) break;
  }
  return total;
}

async function remove(store: Store, step: Step): Promise<number> {
  const [done] = await store.apply([step]);
  return done?.rows ?? 0;
}

/** A deleted volume never comes back, so it may be read first and removed then. */
async function purgeVolumes(store: Store, ageMs: number): Promise<number> {
  const rows = await store.read(deletedVolumes.with({ ageMs, limit: BATCH }));
  if (rows.length === 0) return 0;
  const ids = JSON.stringify(rows.map(({ id }) => id));
  await store.apply([{ statement: metadataOf.with({ ids }) }, { statement: volumesById.with({ ids }) }]);
  return rows.length;
}

/** Events go from the oldest on without a gap, and the horizon moves in the same transaction. */
async function purgeEvents(store: Store, ageMs: number): Promise<number> {
  const rows = await store.read(firstEvents.with({ ageMs, limit: BATCH }));
  const young = rows.findIndex(({ isOld }) => isOld === 0);
  const last = rows.at(young < 0 ? -1 : young - 1);
  if (!last || young === 0) return 0;
  const { tx, seq } = last;
  const [removed] = await store.apply([
    { statement: eventsUpTo.with({ tx, seq }) },
    { statement: moveHorizon.with({ tx, seq }) },
  ]);
  return removed?.rows ?? 0;
}

interface Aged {
  readonly ageMs: number;
  readonly limit: number;
}

const longAgo = ({ now }: Tools, ageMs: number) => sql<number>`${now} - ${ageMs}`;

const deletedVolumes = statement<Aged>()((tools, p) =>
  tools.db
    .selectFrom('volumes')
    .select('id')
    .where('deleted_at', 'is not', null)
    .where('deleted_at', '<', longAgo(tools, p.ageMs))
    .orderBy('deleted_at')
    .limit(p.limit),
);

const metadataOf = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db.deleteFrom('volume_metadata').where('volume_id', 'in', listIn(dialect, p.ids)),
);

const volumesById = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db.deleteFrom('volumes').where('id', 'in', listIn(dialect, p.ids)).where('deleted_at', 'is not', null),
);

const firstEvents = statement<Aged>()((tools, p) =>
  finalEvents(tools)
    .select(['tx', 'seq', sql<number>`case when created_at < ${longAgo(tools, p.ageMs)} then 1 else 0 end`.as('isOld')])
    .orderBy(inOrder(tools.dialect))
    .limit(p.limit),
);

const eventsUpTo = statement<EventCursor>()(({ db, dialect }, p) =>
  db.deleteFrom('events').where(place(dialect, '<=', p)),
);

const moveHorizon = statement<EventCursor>()(({ db, dialect }, p) =>
  db
    .updateTable('event_horizon')
    .set({ tx: p.tx, seq: p.seq })
    .where(place(dialect, '<', p)),
);

const messages = statement<{ limit: number }>()(({ db, now }, p) =>
  db
    .deleteFrom('messages')
    .where('id', 'in', db.selectFrom('messages').select('id').where('expires_at', '<', now).limit(p.limit)),
);

const idempotencyKeys = statement<Aged>()((tools, p) =>
  tools.db
    .deleteFrom('idempotency')
    .where((eb) =>
      eb(
        eb.refTuple('project_id', 'user_id', 'rpc', 'key'),
        'in',
        eb
          .selectFrom('idempotency as old')
          .select(['old.project_id', 'old.user_id', 'old.rpc', 'old.key'])
          .where('old.created_at', '<', longAgo(tools, p.ageMs))
          .limit(p.limit)
          .$asTuple('project_id', 'user_id', 'rpc', 'key'),
      ),
    ),
);

const leftovers = statement<Aged>()((tools, p) =>
  tools.db
    .deleteFrom('leftovers')
    .where((eb) =>
      eb(
        eb.refTuple('host', 'volume_id'),
        'in',
        eb
          .selectFrom('leftovers as old')
          .select(['old.host', 'old.volume_id'])
          .where('old.created_at', '<', longAgo(tools, p.ageMs))
          .limit(p.limit)
          .$asTuple('host', 'volume_id'),
      ),
    ),
);

/** A process that still owns work is kept: who takes the work over asks whether it lives. */
const processes = statement<Aged>()((tools, p) =>
  tools.db.deleteFrom('processes').where('incarnation', 'in', (eb) =>
    eb
      .selectFrom('processes as old')
      .select('old.incarnation')
      .where('old.heartbeat_at', '<', longAgo(tools, p.ageMs))

      .where((old) =>
        old.not(
          old.exists(
            old.selectFrom('workers').select('workers.owner').whereRef('workers.owner', '=', 'old.incarnation'),
          ),
        ),
      )
      .limit(p.limit),
  ),
);
