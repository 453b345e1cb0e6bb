import { sql } from 'kysely';
import { statement } from './statement.js';
import type { Step } from './store.js';
import { changeLive } from './volume-transitions.js';

/** Work on a volume that exists already, after which it can be what it was. */
export type ReturnableWork = 'extend' | 'retype' | 'migrate' | 'manage' | 'revert' | 'reimage' | 'upload';

/**
 * Takes a volume out of the transient status of work that will not be done: back to its former status, or, for one whose
 * managing failed, to `error_managing`. Touches no row when the volume is in another status by now. Rule:
 * cinder/scheduler/manager.py, `_extend_volume_set_error`, `_retype_volume_set_error`, `_migrate_volume_set_error`,
 * `_manage_existing_set_error`.
 */
export function returnVolume(work: ReturnableWork, change: { readonly id: string; readonly reason: string }): Step {
  return { statement: RETURNS[work].with(change) };
}

/** Writes where a volume that is being taken under management was found. Only for one in `managing`. */
export function placeManaged(place: {
  readonly id: string;
  /** `host@backend#pool`. */
  readonly host: string;
  readonly clusterName: string | null;
}): Step {
  return { statement: placeIt.with(place), rows: 1 };
}

interface Change {
  readonly id: string;
  readonly reason: string;
}

/** Where nobody noted the former status, the attachments tell. */
const FORMER = sql<string>`coalesce(previous_status, case attach_status when 'attached' then 'in-use' else 'available' end)`;

const RETURNS = {
  extend: statement<Change>()((tools, { id }) =>
    changeLive(tools, id).set({ status: FORMER, previous_status: null }).where('status', '=', 'extending'),
  ),
  retype: statement<Change>()((tools, { id }) =>
    changeLive(tools, id).set({ status: FORMER }).where('status', '=', 'retyping'),
  ),
  migrate: statement<Change>()((tools, { id }) =>
    changeLive(tools, id)
      .set({
        migration_status: 'error',
        status: sql<string>`case status when 'maintenance' then coalesce(previous_status, status) else status end`,
      })
      .where('migration_status', 'in', ['starting', 'migrating', 'completing']),
  ),
  revert: statement<Change>()((tools, { id }) =>
    changeLive(tools, id).set({ status: FORMER, previous_status: null }).where('status', '=', 'reverting'),
  ),
  reimage: statement<Change>()((tools, { id }) =>
    changeLive(tools, id).set({ status: FORMER, previous_status: null }).where('status', '=', 'downloading'),
  ),
  upload: statement<Change>()((tools, { id }) =>
    changeLive(tools, id).set({ status: FORMER, previous_status: null }).where('status', '=', 'uploading'),
  ),
  manage: statement<Change>()((tools, { id, reason }) =>
    changeLive(tools, id).set({ status: 'error_managing', status_reason: reason }).where('status', '=', 'managing'),
  ),
} as const;

const placeIt = statement<{ id: string; host: string; clusterName: string | null }>()((tools, p) =>
  changeLive(tools, p.id).set({ host: p.host, cluster_name: p.clusterName }).where('status', '=', 'managing'),
);
