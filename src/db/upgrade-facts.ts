import { sql } from 'kysely';
import { since, statement } from './statement.js';
import type { Store } from './store.js';

/** Work of one form, as rows hold it. */
export interface PayloadForm {
  readonly binary: string;
  readonly method: string;
  readonly payloadVersion: string;
  readonly count: number;
  /** Of the oldest of it, ms by the database's clock. */
  readonly oldestMs: number;
}

/** The forms of all unfinished work. */
export async function payloadForms(store: Store): Promise<readonly PayloadForm[]> {
  return store.read(forms.with({}));
}

const forms = statement()(({ db, now }) =>
  db
    .selectFrom('workers')
    .select(['binary', 'method', 'payload_version as payloadVersion'])
    .select(sql<number>`count(*)`.as('count'))
    .select(since(now, sql`min(created_at)`).as('oldestMs'))
    .groupBy(['binary', 'method', 'payload_version'])
    .orderBy('binary')
    .orderBy('method')
    .orderBy('payload_version'),
);
