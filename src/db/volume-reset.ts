import { sql } from 'kysely';
import type { VolumeStatus } from '../objects/volume-status.js';
import { statement } from './statement.js';
import type { Step } from './store.js';
import { changeLive } from './volume-transitions.js';

/** What is corrected of a volume's record; what is absent stays. */
export interface VolumeReset {
  readonly id: string;
  readonly status?: VolumeStatus | undefined;
  readonly attachStatus?: 'attached' | 'detached' | undefined;
  /** null: it is not migrating. */
  readonly migrationStatus?: string | null | undefined;
  /** Who did it, in words. */
  readonly by: string;
  readonly reason: string;
}

/**
 * Corrects the record of a live volume, and says in `status_reason` what its status was, who corrected it and why. Touches
 * no row while the creation is being decided (a staged row of work), for `available` and `in-use` without a backend, and
 * for `in-use` without an attachment. Rule: cinder/api/contrib/admin_actions.py, `_reset_status`.
 */
export function resetVolume({ id, status, attachStatus, migrationStatus, by, reason }: VolumeReset): Step {
  const params = {
    ...{ id, by, reason },
    status: status ?? null,
    attachStatus: attachStatus ?? null,
    hasMigrationStatus: Number(migrationStatus !== undefined),
    migrationStatus: migrationStatus ?? null,
  };
  return { statement: reset.with(params), rows: 1 };
}

interface Params {
  readonly id: string;
  readonly status: string | null;
  readonly attachStatus: string | null;
  readonly hasMigrationStatus: number;
  readonly migrationStatus: string | null;
  readonly by: string;
  readonly reason: string;
}

const reset = statement<Params>()((tools, p) => {
  const status = sql<string>`coalesce(cast(${p.status} as text), status)`;
  const attachStatus = sql<string>`coalesce(cast(${p.attachStatus} as text), attach_status)`;
  return changeLive(tools, p.id)
    .set({
      status,
      status_reason: sql<string>`'Reset by ' || cast(${p.by} as text) || ' (the status was ' || status || '): ' || cast(${p.reason} as text)`,
      attach_status: attachStatus,
      migration_status: sql<string | null>`case when cast(${p.hasMigrationStatus} as integer) = 1
        then cast(${p.migrationStatus} as text) else migration_status end`,
    })
    .where((eb) =>
      eb.and([
        eb.or([eb(status, 'not in', ['available', 'in-use']), eb('host', 'is not', null)]),
        eb.or([eb(status, '!=', 'in-use'), eb(attachStatus, '=', 'attached')]),
        eb.not(
          eb.exists(
            eb
              .selectFrom('workers')
              .select('workers.resource_id')
              .where('workers.resource_type', '=', 'Volume')
              .whereRef('workers.resource_id', '=', 'volumes.id')
              .where('workers.state', '=', 'staged'),
          ),
        ),
      ]),
    );
});
