import { sql } from 'kysely';
import type { Tools } from './statement.js';

/** The living services that may take the work of a row of `workers as w`: of its binary and, where it has a target, of that host or cluster. */
export const serving = ({ db, now }: Tools, downAfterMs: number) =>
  db
    .selectFrom('services as alive')
    .select('alive.id')
    .where('alive.binary', '=', sql<string>`w.binary`)
    .where('alive.deleted_at', 'is', null)
    .where('alive.stopped_at', 'is', null)
    .where('alive.heartbeat_at', '>=', sql<number>`${now} - ${downAfterMs}`)
    .where((eb) =>
      eb.or([
        sql<boolean>`w.target is null`,
        eb('alive.host', '=', sql<string>`w.target`),
        eb('alive.cluster_name', '=', sql<string>`w.target`),
      ]),
    );
