import { sql } from 'kysely';
import { listIn } from './json.js';
import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/** Notes a project whose sums are about to be put into Redis, right as they are now. Safe to repeat. */
export function noteProject(projectId: string): Step {
  return { statement: note.with({ project: projectId }) };
}

/** Projects whose sums may be in Redis, in order of their ids: the first `limit` after `after`. */
export async function listQuotaProjects(
  store: Store,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  return (await store.read(list.with({ after, limit }))).map(({ project_id }) => project_id);
}

/**
 * Takes the projects whose last comparison is the longest ago, at least `minAgeMs` by the database's clock; they count as
 * compared from now on, so that no other process takes them too.
 */
export async function takeUnchecked(
  store: Store,
  { minAgeMs, limit }: { readonly minAgeMs: number; readonly limit: number },
): Promise<readonly string[]> {
  const [taken] = await store.apply([{ statement: take.with({ age: minAgeMs, limit }) }]);
  return (taken?.returned ?? []).map(({ project_id }) => project_id as string);
}

/** Puts back what was taken and not compared: whoever comes next takes it. */
export function putBackUnchecked(projects: readonly string[]): Step {
  return { statement: putBack.with({ projects: JSON.stringify(projects) }) };
}

const note = statement<{ project: string }>()(({ db, now }, p) =>
  db
    .insertInto('quota_projects')
    .values({ project_id: p.project, checked_at: now })
    .onConflict((conflict) => conflict.column('project_id').doNothing()),
);

const putBack = statement<{ projects: string }>()(({ db, dialect }, p) =>
  db.updateTable('quota_projects').set({ checked_at: 0 }).where('project_id', 'in', listIn(dialect, p.projects)),
);

const list = statement<{ after: string; limit: number }>()(({ db }, p) =>
  db
    .selectFrom('quota_projects')
    .select('project_id')
    .where('project_id', '>', p.after)
    .orderBy('project_id')
    .limit(p.limit),
);

const take = statement<{ age: number; limit: number }>()(({ db, dialect, now }, p) => {
  const due = db
    .selectFrom('quota_projects')
    .select('project_id')
    // one of the future is from before the clock was set back
    .where((eb) => eb.or([eb('checked_at', '<=', sql<number>`${now} - ${p.age}`), eb('checked_at', '>', now)]))
    .orderBy('checked_at')
    .limit(p.limit);
  return db
    .updateTable('quota_projects')
    .set({ checked_at: now })
    .where('project_id', 'in', dialect === 'postgres' ? due.forUpdate().skipLocked() : due)
    .returning('project_id');
});
