import { statement, type Tools } from './statement.js';
import type { Step } from './store.js';

/**
 * Ends a snapshot whose work will not be done in its error status. Touches no row when it is in another status by now.
 * Rule: cinder/volume/manager.py, `create_snapshot`, `delete_snapshot`.
 */
export function failSnapshotRecord(id: string): Step {
  return { statement: fail.with({ id }) };
}

/** Gives the snapshots that a volume was to be put back to their status back: the volume is as it was. */
export function returnRestored(volumeId: string): Step {
  return { statement: giveBack.with({ volumeId }) };
}

const fail = statement<{ id: string }>()((tools, { id }) =>
  change(tools)
    .set((eb) => ({ status: eb.case().when('status', '=', 'creating').then('error').else('error_deleting').end() }))
    .where('id', '=', id)
    .where('status', 'in', ['creating', 'deleting', 'unmanaging']),
);

const giveBack = statement<{ volumeId: string }>()((tools, { volumeId }) =>
  change(tools).set({ status: 'available' }).where('volume_id', '=', volumeId).where('status', '=', 'restoring'),
);

function change({ db, now }: Tools) {
  return db.updateTable('snapshots').set({ updated_at: now }).where('deleted_at', 'is', null);
}
