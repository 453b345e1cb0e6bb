import { sql } from 'kysely';
import { listIn } from './json.js';
import { since, statement } from './statement.js';
import type { Store } from './store.js';

/** What the records say of a volume that room is claimed for. */
export interface ClaimantFacts {
  readonly id: string;
  /** Since its record was last written, ms. */
  readonly unchangedMs: number;
}

/** Of these ids those of volumes that are on record, deleted ones too, and those that there is work on. */
export async function claimantFacts(
  store: Store,
  ids: readonly string[],
): Promise<{ readonly volumes: readonly ClaimantFacts[]; readonly atWork: ReadonlySet<string> }> {
  const json = JSON.stringify(ids);
  const [volumes, atWork] = await Promise.all([
    store.read(claimants.with({ ids: json })),
    store.read(workedOn.with({ ids: json })),
  ]);
  return {
    volumes: volumes.map((row) => ({ id: row.id, unchangedMs: row.unchanged_ms })),
    atWork: new Set(atWork.map((row) => row.resource_id)),
  };
}

const claimants = statement<{ ids: string }>()(({ db, dialect, now }, p) =>
  db
    .selectFrom('volumes')
    .select('id')
    .select(since(now, sql`coalesce(deleted_at, updated_at)`).as('unchanged_ms'))
    .where('id', 'in', listIn(dialect, p.ids)),
);

const workedOn = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db
    .selectFrom('workers')
    .select('resource_id')
    .where('resource_type', 'in', ['Volume', 'Snapshot'])
    .where('resource_id', 'in', listIn(dialect, p.ids)),
);
