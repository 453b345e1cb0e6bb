import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'libsql';
import pg from 'pg';
import { migrate } from '#src/db/migrate.js';
import type { Bound } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { COMPARISONS, type VolumeFilters } from '#src/db/volume-filters.js';
import { countVolumes, listVolumes } from '#src/db/volume-list.js';
import { SORT_KEYS } from '#src/db/volume-order.js';
import { folderFor } from '../support/folder.js';
import { postgresTest, postgresUrl } from '../support/sql.js';

/** Every filter there is, each by itself. */
const FILTERS: Readonly<Record<string, VolumeFilters>> = {
  none: {},
  name: { name: 'n' },
  nameContains: { nameContains: 'abc' },
  status: { statuses: ['error'] },
  statuses: { statuses: ['error', 'error_deleting'] },
  volumeTypeId: { volumeTypeId: 't' },
  availabilityZone: { availabilityZone: 'z' },
  bootable: { bootable: true },
  multiattach: { multiattach: true },
  notMultiattach: { multiattach: false },
  snapshotId: { snapshotId: 's' },
  sourceVolumeId: { sourceVolumeId: 's' },
  groupId: { groupId: 'g' },
  userId: { userId: 'u' },
  host: { host: 'h' },
  backend: { host: 'h@b' },
  pool: { host: 'h@b#p' },
  metadata: { metadata: new Map([['k', 'v']]) },
  ...Object.fromEntries(
    COMPARISONS.map((comparison) => [`createdAt ${comparison}`, { createdAt: { [comparison]: 5 } }]),
  ),
  ...Object.fromEntries(
    COMPARISONS.map((comparison) => [`updatedAt ${comparison}`, { updatedAt: { [comparison]: 5 } }]),
  ),
  ids: { ids: ['a', 'b'] },
  several: { name: 'n', statuses: ['error'], userId: 'u', metadata: new Map([['k', 'v']]) },
};

/** The plan of one list, and what was asked. */
interface Explained {
  readonly what: string;
  /** Each statement's plan: those that look for few, then the page. */
  readonly plans: readonly string[];
}

type Explain = (statement: Bound) => Promise<string>;

/** An index serves both directions: one from the start, the other from a cursor on. */
const BEGINNINGS = [
  ['asc', undefined],
  ['desc', { value: 1, createdAt: 1, id: 'i' }],
] as const;

/** Explains every filter in every order, in a project and in all. */
async function explainAll(dialect: Store['dialect'], explain: Explain): Promise<readonly Explained[]> {
  const explained: Explained[] = [];
  for (const [name, filter] of Object.entries(FILTERS)) {
    for (const scope of [{ projectId: 'p' }, {}]) {
      const filters = { ...scope, ...filter };
      const where = `${name} ${'projectId' in scope ? 'in a project' : 'in all'}`;
      explained.push({
        what: `count ${where}`,
        plans: await plansOf(dialect, explain, (s) => countVolumes(s, filters)),
      });
      for (const key of SORT_KEYS) {
        for (const [direction, after] of BEGINNINGS) {
          const order = { key, direction };
          const plans = await plansOf(dialect, explain, (s) => listVolumes(s, { filters, order, limit: 50, after }));
          explained.push({ what: `${where} by ${key} ${direction}`, plans });
        }
      }
    }
  }
  return explained;
}

/** Marks the plan of a look for few. */
const FEW = 'few: ';

/** What a store is asked; every filter is answered as if very many fitted it. */
async function plansOf(
  dialect: Store['dialect'],
  explain: Explain,
  ask: (store: Store) => Promise<unknown>,
): Promise<readonly string[]> {
  const plans: string[] = [];
  const store = {
    dialect,
    apply: () => Promise.reject(new Error('a list writes nothing')),
    async read<Row>(statement: Bound<Row>): Promise<readonly Row[]> {
      const many = / limit 1001$/.test(statement.statement.compiled(dialect).sql);
      plans.push(`${many ? FEW : 'page: '}${await explain(statement)}`);
      // a list asks for more than ids only where it reads rows, and may get none
      return (many ? Array.from({ length: 1_001 }, () => ({ id: 'i' })) : []) as readonly unknown[] as readonly Row[];
    },
    close: async () => undefined,
  } satisfies Store;
  await ask(store);
  return plans;
}

/** Those few that were named are fetched one by one, and sorted. */
const isOfFew = ({ what }: Explained): boolean => /^(count )?ids /.test(what);

const hasAny = ({ plans }: Explained, sign: RegExp): boolean => plans.some((plan) => sign.test(plan));

test('no filter and no order scans or sorts the table (SQLite)', async (t) => {
  const path = join(await folderFor(t), 'cinder.db');
  await migrate(`sqlite:${path}`);
  const database = new Database(path);
  t.teardown(() => database.close());
  const explained = await explainAll('sqlite', async ({ statement, values }) => {
    const { sql, bind } = statement.compiled('sqlite');
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(bind(values)) as { detail: string }[];
    return steps.map(({ detail }) => detail).join('\n');
  });
  isCovered(t, explained, /SCAN volumes(?! USING (COVERING )?INDEX)/, /USE TEMP B-TREE/);
  // a walk in the order of an index ends with the page; a look for few would not end before the index does
  t.deepEqual(
    explained
      .filter((one) => one.plans.some((plan) => plan.startsWith(FEW) && plan.includes('SCAN volumes')))
      .map(shown),
    [],
  );
});

postgresTest('no filter and no order has to scan or sort the table (PostgreSQL)', async (t) => {
  const client = new pg.Client({ connectionString: await postgresUrl(t) });
  await client.connect();
  t.teardown(() => client.end());
  // what PostgreSQL does only when there is no other way
  const avoided = ['enable_seqscan', 'enable_sort', 'enable_incremental_sort', 'enable_bitmapscan'];
  for (const way of avoided) await client.query(`set ${way} = off`);
  const explained = await explainAll('postgres', async ({ statement, values }) => {
    const { sql, bind } = statement.compiled('postgres');
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (costs off) ${sql}`, bind(values));
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  });
  isCovered(t, explained, /Seq Scan on volumes/, /Sort/);
});

function isCovered(t: ExecutionContext, explained: readonly Explained[], scan: RegExp, sort: RegExp): void {
  t.true(explained.length > 500);
  t.deepEqual(explained.filter((one) => hasAny(one, scan)).map(shown), []);
  t.deepEqual(explained.filter((one) => !isOfFew(one) && hasAny(one, sort)).map(shown), []);
}

const shown = ({ what, plans }: Explained): string => `${what}\n${plans.join('\n--\n')}`;
