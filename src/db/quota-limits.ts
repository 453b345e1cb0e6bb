import { sql } from 'kysely';
import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/** One stored limit. `null` decides nothing: the next level does. */
export interface StoredLimit {
  readonly resource: string;
  readonly hardLimit: number | null;
}

/** The rows that decide a project's limits. */
export interface StoredLimits {
  readonly project: readonly StoredLimit[];
  /** Of the caller's class; none without one. */
  readonly ownClass: readonly StoredLimit[];
  /** Of the class `default`, which stands for every project without own rows. */
  readonly defaultClass: readonly StoredLimit[];
}

/** Reads all levels in one statement. `quotaClass`: the caller's, if it has one. */
export async function findLimits(store: Store, projectId: string, quotaClass = DEFAULT_CLASS): Promise<StoredLimits> {
  const rows = await store.read(find.with({ project: projectId, quotaClass }));
  const of = (isWanted: (row: (typeof rows)[number]) => boolean) =>
    rows.filter(isWanted).map(({ resource, hard_limit }) => ({ resource, hardLimit: hard_limit }));
  return {
    project: of(({ class_name }) => class_name === null),
    ownClass: of(({ class_name }) => class_name !== null && class_name !== DEFAULT_CLASS),
    defaultClass: of(({ class_name }) => class_name === DEFAULT_CLASS),
  };
}

/** The rows that decide a class's limits: its own, and those of the class `default`, of which it may be one itself. */
export async function findClassLimits(
  store: Store,
  className: string,
): Promise<{ readonly own: readonly StoredLimit[]; readonly defaultClass: readonly StoredLimit[] }> {
  const rows = await store.read(findClass.with({ name: className }));
  const of = (name: string) =>
    rows
      .filter((row) => row.class_name === name)
      .map(({ resource, hard_limit }) => ({ resource, hardLimit: hard_limit }));
  return { own: of(className), defaultClass: of(DEFAULT_CLASS) };
}

/** Sets a project's own limit. Safe to repeat. */
export function upsertLimit(projectId: string, resource: string, hardLimit: number): Step {
  return { statement: upsert.with({ project: projectId, resource, limit: hardLimit }), rows: 1 };
}

/** Takes a project's own limits away: the defaults decide again. */
export function deleteLimits(projectId: string): Step {
  return { statement: remove.with({ project: projectId }) };
}

/** Sets a limit of a class; of `default`: of every project without its own. Safe to repeat. */
export function upsertClassLimit(className: string, resource: string, hardLimit: number): Step {
  return { statement: upsertClass.with({ name: className, resource, limit: hardLimit }), rows: 1 };
}

/** Sets a limit of the class `default`. Safe to repeat. */
export function upsertDefaultLimit(resource: string, hardLimit: number): Step {
  return upsertClassLimit(DEFAULT_CLASS, resource, hardLimit);
}

/** Stands for every project without limits of its own. */
export const DEFAULT_CLASS = 'default';

const find = statement<{ project: string; quotaClass: string }>()(({ db }, p) =>
  db
    .selectFrom('quota_limits')
    .select([sql<string | null>`null`.as('class_name'), 'resource', 'hard_limit'])
    .where('project_id', '=', p.project)
    .unionAll(
      db
        .selectFrom('quota_classes')
        .select(['class_name', 'resource', 'hard_limit'])
        .where('class_name', 'in', [sql.lit(DEFAULT_CLASS), p.quotaClass]),
    ),
);

const findClass = statement<{ name: string }>()(({ db }, p) =>
  db
    .selectFrom('quota_classes')
    .select(['class_name', 'resource', 'hard_limit'])
    .where((eb) => eb.or([eb('class_name', '=', p.name), eb('class_name', '=', DEFAULT_CLASS)])),
);

const upsert = statement<{ project: string; resource: string; limit: number }>()(({ db }, p) =>
  db
    .insertInto('quota_limits')
    .values({ project_id: p.project, resource: p.resource, hard_limit: p.limit })
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })),
    ),
);

const remove = statement<{ project: string }>()(({ db }, p) =>
  db.deleteFrom('quota_limits').where('project_id', '=', p.project),
);

const upsertClass = statement<{ name: string; resource: string; limit: number }>()(({ db }, p) =>
  db
    .insertInto('quota_classes')
    .values({ class_name: p.name, resource: p.resource, hard_limit: p.limit })
    .onConflict((conflict) =>
      conflict.columns(['class_name', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })),
    ),
);
