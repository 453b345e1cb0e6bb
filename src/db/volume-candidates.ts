import { sql } from 'kysely';
import { type Bound, Statement, statement, type Tools } from './statement.js';
import type { Store } from './store.js';
import { type Condition, conditionsOf, type Params, type VolumeFilters } from './volume-filters.js';
import type { SortKey } from './volume-order.js';

/** So many ids are looked up and sorted in no more time than a page takes to read. */
const FEW = 1_000;

/**
 * The same filters with the ids of those few volumes that can fit them; undefined when no filter by itself leaves few: then many
 * fit, and a walk through all in their order meets them soon. A filter is asked only if no index gives its volumes in the order
 * of `key`; of each, no more than FEW + 1 entries of an index are read. Without a key, for counting, the project is not asked.
 */
export async function narrowed(
  store: Store,
  filters: VolumeFilters,
  key: SortKey | undefined,
): Promise<VolumeFilters | undefined> {
  if (filters.ids) return undefined;
  for (const [name, value] of filters.metadata ?? []) {
    const ids = await few(store, candidatesByPair.with({ key: name, value }));
    if (ids) return { ...filters, ids };
  }
  const conditions = conditionsOf(filters);
  const project = conditions.filter(isProject);
  for (const condition of conditions) {
    if (!condition.indexed || (key === undefined ? isProject(condition) : condition.isOrderedBy(key))) continue;
    const ids = await few(store, candidates(condition.indexed === 'project' ? [...project, condition] : [condition]));
    if (ids) return { ...filters, ids };
  }
  return undefined;
}

function isProject({ shape }: Condition): boolean {
  return shape === 'project_id';
}

type Candidates = Bound<{ readonly id: string }>;

async function few(store: Store, found: Candidates): Promise<readonly string[] | undefined> {
  const rows = await store.read(found);
  return rows.length <= FEW ? rows.map(({ id }) => id) : undefined;
}

const candidatesByPair = statement<{ key: string; value: string }>()(({ db }, p) =>
  db
    .selectFrom('volume_metadata')
    .select('volume_id as id')
    .where('key', '=', p.key)
    .where('value', '=', p.value)
    .limit(sql.lit(FEW + 1)),
);

/** By the shapes of their conditions: as many as there are filters, twice. */
const CANDIDATES = new Map<string, Statement<Params, { readonly id: string }>>();

function candidates(conditions: readonly Condition[]): Candidates {
  const shape = conditions.map((condition) => condition.shape).join();
  let found = CANDIDATES.get(shape);
  if (!found) {
    found = new Statement((tools: Tools, p: Params) =>
      tools.db
        .selectFrom('volumes')
        .select('id')
        .where('deleted_at', 'is', null)
        .where((eb) => eb.and(conditions.map(({ where }) => where(tools, p, 'both'))))
        .limit(sql.lit(FEW + 1)),
    );
    CANDIDATES.set(shape, found);
  }
  return found.with(valuesOf(conditions));
}

/** What the conditions of one statement are bound with. */
export function valuesOf(conditions: readonly Condition[]): Readonly<Record<string, string | number>> {
  return Object.assign({}, ...conditions.map(({ values }) => values)) as Record<string, string | number>;
}
