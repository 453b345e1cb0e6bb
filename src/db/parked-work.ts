import { sql } from 'kysely';
import { listIn } from './json.js';
import { since, statement } from './statement.js';
import type { Step, Store } from './store.js';
import { type OrphanedWorker, toOrphaned } from './worker-search.js';
import { rowAt, type RowKey, type WorkerHold, type WorkerKey } from './worker-row.js';

/**
 * Work that has failed for its owner and goes on when its backend is back: a row in the state `parked`. Nobody sends or claims
 * it, and whatever else is asked of the resource replaces or removes it. Rule: docs/protocols.md §W TAKEOVER.
 */

/** Parks work that is ours; `status` is that of its resource from now on. Ends our hold. */
export function parkWorker(hold: WorkerHold, status: string): Step {
  const { resourceType: type, resourceId: id, epoch, owner } = hold;
  return { statement: park.with({ type, id, epoch, owner, status }), rows: 1 };
}

/** Makes a parked row ready again as if it were new, epoch + 1, to be sent by its writer. */
export function resumeWorker(key: WorkerKey & { readonly epoch: number }, status: string): Step {
  const { resourceType: type, resourceId: id, epoch } = key;
  return { statement: resume.with({ type, id, epoch, status }), rows: 1 };
}

/** Removes a parked row; its resource has moved on. */
export function removeParked({
  resourceType: type,
  resourceId: id,
  epoch,
}: WorkerKey & { readonly epoch: number }): Step {
  return { statement: remove.with({ type, id, epoch }), rows: 1 };
}

/** Deletions that were asked for more than `olderThanMs` ago, of backends that are down; the oldest first. */
export async function findForsakenDeletions(
  store: Store,
  query: { readonly downAfterMs: number; readonly olderThanMs: number; readonly limit: number },
): Promise<readonly OrphanedWorker[]> {
  const { downAfterMs: down, olderThanMs: age, limit } = query;
  return (await store.read(forsaken.with({ down, age, limit }))).map(toOrphaned);
}

/** Parked work of these backends, `host@backend`; what was parked first comes first. */
export async function findParked(
  store: Store,
  query: { readonly targets: readonly string[]; readonly limit: number },
): Promise<readonly OrphanedWorker[]> {
  const targets = JSON.stringify(query.targets);
  return (await store.read(parked.with({ targets, limit: query.limit }))).map(toOrphaned);
}

const park = statement<RowKey & { owner: string; status: string }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'parked',
      status: p.status,
      owner: null,
      service_id: null,
      epoch: sql<number>`epoch + 1`,
      updated_at: now,
    })
    .where(rowAt(p))
    .where('owner', '=', p.owner),
);

const resume = statement<RowKey & { status: string }>()(({ db, now }, p) =>
  db
    .updateTable('workers')
    .set({
      state: 'ready',
      status: p.status,
      epoch: sql<number>`epoch + 1`,
      claims: 0,
      sends: 0,
      not_before: 0,
      send_until: 0,
      created_at: now,
      updated_at: now,
    })
    .where(rowAt(p))
    .where('state', '=', 'parked'),
);

const remove = statement<RowKey>()(({ db }, p) =>
  db.deleteFrom('workers').where(rowAt(p)).where('state', '=', 'parked'),
);

const forsaken = statement<{ down: number; age: number; limit: number }>()(({ db, now }, p) =>
  db
    .selectFrom('workers as w')
    .innerJoin('services as s', (join) =>
      join.onRef('s.host', '=', 'w.target').on('s.binary', '=', 'cinder-volume').on('s.deleted_at', 'is', null),
    )
    .selectAll('w')
    .select(since(now, 'w.created_at').as('age_ms'))
    .where('w.binary', '=', 'cinder-volume')
    .where('w.method', '=', 'DeleteVolume')
    .where('w.state', 'in', ['ready', 'claimed'])
    .where('w.created_at', '<', sql<number>`${now} - ${p.age}`)
    .where('s.heartbeat_at', '<', sql<number>`${now} - ${p.down}`)
    .orderBy('w.created_at')
    .limit(p.limit),
);

const parked = statement<{ targets: string; limit: number }>()(({ db, dialect, now }, p) =>
  db
    .selectFrom('workers as w')
    .selectAll('w')
    .select(since(now, 'w.created_at').as('age_ms'))
    .where('w.state', '=', 'parked')
    .where('w.binary', '=', 'cinder-volume')
    .where('w.target', 'in', listIn(dialect, p.targets))
    .orderBy('w.updated_at')
    .limit(p.limit),
);
