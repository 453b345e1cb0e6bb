import type { Kysely } from 'kysely';
import { Statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';

/** What a column is set to by hand, whatever would be right there. */
export type Nonsense = string | number | null | Uint8Array;

/** Tables whose rows tests break, and the column by which a row is found. */
const KEYS = {
  volumes: 'id',
  workers: 'resource_id',
  services: 'host',
  processes: 'incarnation',
  quota_settlements: 'id',
  events: 'resource_id',
  idempotency: 'key',
} as const;

/** Changes columns of a row as somebody with a database shell would. Throws unless there is exactly one. */
export async function breakRow(
  store: Store,
  table: keyof typeof KEYS,
  key: string,
  columns: Readonly<Record<string, Nonsense>>,
): Promise<void> {
  const update = new Statement<Readonly<Record<string, Nonsense>>>(
    ({ db }, p) =>
      (db as unknown as Kysely<Record<string, Record<string, unknown>>>)
        .updateTable(table)
        .set(Object.fromEntries(Object.keys(columns).map((column) => [column, p[column]])))
        .where(KEYS[table], '=', p['the key']),
    { isAdHoc: true },
  );
  await store.apply([{ statement: update.with({ ...columns, 'the key': key }), rows: 1 }]);
}
