import { sql } from 'kysely';
import { statement } from './statement.js';
import type { Step } from './store.js';
import type { WorkerKey } from './worker-row.js';

/** What a repair found, and demands to find again. */
export interface UnchangedVolume {
  readonly id: string;
  readonly revision: number;
}

/**
 * First step of a repair of a volume that nobody is at work on: touches no row when the volume has changed since it was
 * looked at, or when work on it has begun. It locks the record, so that a change waits or wins.
 */
export function idleVolume({ id, revision }: UnchangedVolume): Step {
  return { statement: idle.with({ id, revision }), rows: 1 };
}

/** Removes a row of work that is as it was looked at; its owner, if there is one, is fenced. */
export function removeWork({ resourceType, resourceId, epoch }: WorkerKey & { readonly epoch: number }): Step {
  return { statement: remove.with({ type: resourceType, id: resourceId, epoch }), rows: 1 };
}

/** Lets a row of work that is as it was looked at be sent at once. */
export function wakeWork({ resourceType, resourceId, epoch }: WorkerKey & { readonly epoch: number }): Step {
  return { statement: wake.with({ type: resourceType, id: resourceId, epoch }), rows: 1 };
}

/** Removes a settlement that nobody can settle; to be followed by a rebuild of the project's usage. */
export function forgetSettlement(id: string, state: string): Step {
  return { statement: forgetOne.with({ id, state }), rows: 1 };
}

/** Removes what was undecided of a volume's quota; to be followed by a rebuild of the project's usage. */
export function forgetCharges(resourceType: string, resourceId: string): Step {
  return { statement: forget.with({ type: resourceType, id: resourceId }) };
}

/** Gives a hold back that no work will ever settle. Touches no row when it has moved on, or when there is work. */
export function undoIdleHold(id: string): Step {
  return { statement: undo.with({ id }), rows: 1 };
}

const idle = statement<{ id: string; revision: number }>()(({ db }, p) =>
  db
    .updateTable('volumes')
    .set((eb) => ({ updated_at: eb.ref('updated_at') }))
    .where('id', '=', p.id)
    .where('revision', '=', p.revision)
    .where('deleted_at', 'is', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('workers')
            .select('workers.epoch')
            .where('workers.resource_type', '=', 'Volume')
            .whereRef('workers.resource_id', '=', 'volumes.id'),
        ),
      ),
    ),
);

const remove = statement<{ type: string; id: string; epoch: number }>()(({ db }, p) =>
  db
    .deleteFrom('workers')
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch),
);

const wake = statement<{ type: string; id: string; epoch: number }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set({ not_before: 0, send_until: 0 })
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('epoch', '=', p.epoch)
    .where('state', '=', 'ready'),
);

const forgetOne = statement<{ id: string; state: string }>()(({ db }, p) =>
  db
    .deleteFrom('quota_settlements')
    .where('id', '=', p.id)
    .where(sql<boolean>`state = ${p.state}`),
);

const forget = statement<{ type: string; id: string }>()(({ db }, p) =>
  db
    .deleteFrom('quota_settlements')
    .where('resource_type', '=', p.type)
    .where('resource_id', '=', p.id)
    .where('kind', '=', 'charge'),
);

const undo = statement<{ id: string }>()(({ db }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ state: 'undo' })
    .where('id', '=', p.id)
    .where('state', '=', 'held')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('workers')
            .select('workers.epoch')
            .whereRef('workers.resource_type', '=', 'quota_settlements.resource_type')
            .whereRef('workers.resource_id', '=', 'quota_settlements.resource_id'),
        ),
      ),
    ),
);
