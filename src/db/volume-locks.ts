import { CLONABLE } from '../objects/volume-status.js';
import { statement } from './statement.js';
import type { Step } from './store.js';

/**
 * Clone against delete: who clones demands a source in a status to be cloned and keeps it so to the end of the transaction;
 * who deletes waits for such transactions, and asks for clones in a statement of its own afterwards. On PostgreSQL a single
 * statement would not do: it asks as of its beginning, before it waited. SQLite lets one transaction write at a time.
 * Rule: docs/protocols.md, "Clone against delete".
 */

/** Touches one row if the volume is live and may be copied now. */
export function demandSource(id: string): Step {
  return { statement: clonable.with({ id }), rows: 1 };
}

/** Waits until no transaction that clones the volume is under way; none begins before this one has ended. */
export function awaitClones(id: string): Step {
  return { statement: locked.with({ id }) };
}

const clonable = statement<{ id: string }>()(({ db, dialect }, p) => {
  const source = db
    .selectFrom('volumes')
    .select('id')
    .where('id', '=', p.id)
    .where('status', 'in', [...CLONABLE])
    .where('deleted_at', 'is', null);
  return dialect === 'postgres' ? source.forShare() : source;
});

const locked = statement<{ id: string }>()(({ db, dialect }, p) => {
  const volume = db.selectFrom('volumes').select('id').where('id', '=', p.id);
  return dialect === 'postgres' ? volume.forUpdate() : volume;
});
