import { sql } from 'kysely';
import { statement, type Tools } from './statement.js';
import type { Store } from './store.js';

/** The live volumes in figures. */
export interface VolumeSummary {
  readonly count: number;
  readonly sizeGib: number;
  /** Pairs in use, each once, by key and then by value. */
  readonly pairs: readonly { readonly key: string; readonly value: string }[];
}

/** Counts a project's volumes; without a project those of all. Of the pairs at most `maxPairs`. */
export async function summarizeVolumes(
  store: Store,
  { projectId, maxPairs }: { readonly projectId?: string; readonly maxPairs: number },
): Promise<VolumeSummary> {
  const [[sums], pairs] =
    projectId === undefined
      ? await Promise.all([store.read(sumsOfAll.with({})), store.read(pairsOfAll.with({ maxPairs }))])
      : await Promise.all([store.read(sumsOf.with({ projectId })), store.read(pairsOf.with({ projectId, maxPairs }))]);
  return { count: sums?.count ?? 0, sizeGib: sums?.sizeGib ?? 0, pairs };
}

const sums = ({ db }: Tools) =>
  db
    .selectFrom('volumes')
    .select([sql<number>`count(*)`.as('count'), sql<number>`cast(coalesce(sum(size), 0) as bigint)`.as('sizeGib')])
    .where('deleted_at', 'is', null);

const sumsOfAll = statement()((tools) => sums(tools));

const sumsOf = statement<{ projectId: string }>()((tools, p) => sums(tools).where('project_id', '=', p.projectId));

const pairs = ({ db }: Tools, maxPairs: number) =>
  db
    .selectFrom('volume_metadata')
    .innerJoin('volumes', 'volumes.id', 'volume_metadata.volume_id')
    .select(['key', 'value'])
    .distinct()
    .where('volumes.deleted_at', 'is', null)
    .orderBy('key')
    .orderBy('value')
    .limit(maxPairs);

const pairsOfAll = statement<{ maxPairs: number }>()((tools, p) => pairs(tools, p.maxPairs));

const pairsOf = statement<{ projectId: string; maxPairs: number }>()((tools, p) =>
  pairs(tools, p.maxPairs).where('volumes.project_id', '=', p.projectId),
);
