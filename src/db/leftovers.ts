import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/**
 * Where a volume was to be made before it was placed anew: its file may be there, whole, and no record says so any more.
 * Rule: docs/protocols.md §W RESCHEDULE.
 */
export interface Leftover {
  /** `host@backend#pool`. */
  readonly host: string;
  readonly volumeId: string;
}

/** Notes the place that a volume has now, if it has one. Comes before the place is taken from it. */
export function noteLeftover(volumeId: string): Step {
  return { statement: note.with({ volumeId }) };
}

/** Some of a backend, `host@backend`, in their order behind one of them; undefined: from the first on. */
export async function leftoversOf(
  store: Store,
  query: { readonly backend: string; readonly after: Leftover | undefined; readonly limit: number },
): Promise<readonly Leftover[]> {
  const { backend, after = { host: backend, volumeId: '' }, limit } = query;
  const rows = await store.read(ofBackend.with({ ...after, last: `${backend}$`, limit }));
  return rows.map((row) => ({ host: row.host, volumeId: row.volume_id }));
}

/** Safe to repeat. */
export function forgetLeftover({ host, volumeId }: Leftover): Step {
  return { statement: forget.with({ host, volumeId }) };
}

const note = statement<{ volumeId: string }>()(({ db, now }, p) =>
  db
    .insertInto('leftovers')
    .columns(['host', 'volume_id', 'created_at'])
    .expression((eb) =>
      eb
        .selectFrom('volumes')
        .select(['volumes.host', 'volumes.id', now.as('created_at')])
        .where('volumes.id', '=', p.volumeId)
        .where('volumes.host', 'is not', null),
    )
    .onConflict((conflict) => conflict.columns(['host', 'volume_id']).doNothing()),
);

/** `$` follows `#` in the collation of the column: the range is what begins with `host@backend#`. */
const ofBackend = statement<Leftover & { last: string; limit: number }>()(({ db }, p) =>
  db
    .selectFrom('leftovers')
    .select(['host', 'volume_id'])
    .where((eb) => eb(eb.refTuple('host', 'volume_id'), '>', eb.tuple(p.host, p.volumeId)))
    .where('host', '<', p.last)
    .orderBy('host')
    .orderBy('volume_id')
    .limit(p.limit),
);

const forget = statement<Leftover>()(({ db }, p) =>
  db.deleteFrom('leftovers').where('host', '=', p.host).where('volume_id', '=', p.volumeId),
);
