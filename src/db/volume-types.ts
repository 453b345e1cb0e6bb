import { type ExpressionBuilder, sql } from 'kysely';
import { listIn } from './json.js';
import type { Schema } from './schema.js';
import { statement, type Tools } from './statement.js';
import type { Step, Store } from './store.js';
import { liveTypes, volumeTypeOf, type VolumeTypeRecord } from './volume-type-rows.js';

export { DEFAULT_VOLUME_TYPE_ID } from './migrations/0001-first.js';

export interface VolumeTypeList {
  /** Only those that this project may use. @default all */
  readonly projectId?: string;
  /** Only public ones, or only private ones. @default both */
  readonly isPublic?: boolean;
  /** Rows a page, 1 to 1001. */
  readonly limit: number;
  /** Name of the last type of the page before. @default from the first */
  readonly after?: string;
}

/**
 * The live volume type with this id, else the one with this name. With a project: only one that it may use.
 * Rule: cinder/volume/volume_types.py, `get_by_name_or_id`.
 */
export async function findVolumeType(
  store: Store,
  { idOrName, projectId }: { readonly idOrName: string; readonly projectId?: string },
): Promise<VolumeTypeRecord | undefined> {
  const rows = await store.read(
    projectId === undefined ? findAny.with({ idOrName }) : findUsable.with({ idOrName, projectId }),
  );
  return rows[0] && volumeTypeOf(rows[0]);
}

/** A page of live types, by name. */
export async function listVolumeTypes(
  store: Store,
  { projectId, isPublic, limit, after = '' }: VolumeTypeList,
): Promise<readonly VolumeTypeRecord[]> {
  const page = { isPublic: isPublic === undefined ? null : Number(isPublic), limit, after };
  const rows = await store.read(projectId === undefined ? list.with(page) : listUsable.with({ ...page, projectId }));
  return rows.map(volumeTypeOf);
}

/** Names of these types, deleted ones too, by id. */
export async function volumeTypeNames(store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await store.read(namesOf.with({ ids: JSON.stringify(ids) }));
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** Ids and names of the live types, by name. */
export async function listVolumeTypeNames(
  store: Store,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return store.read(allNames.with({}));
}

/**
 * Demands that a type lives until the unit is written: a deletion of the type waits for the unit, or the unit for it. Who
 * makes a thing of a type writes this beside it.
 */
export function demandVolumeType(id: string): Step {
  return { statement: demand.with({ id }), rows: 1 };
}

/** As `demandVolumeType`, of a type that the project may use. */
export function demandUsableVolumeType(id: string, projectId: string): Step {
  return { statement: demandUsable.with({ id, projectId }), rows: 1 };
}

/** Public, or its project is on the list. */
function usableBy(projectId: string) {
  return (eb: ExpressionBuilder<Schema, 'volume_types'>) =>
    eb.or([
      eb('is_public', '=', 1),
      eb.exists(
        eb
          .selectFrom('volume_type_access')
          .select('project_id')
          .whereRef('volume_type_access.volume_type_id', '=', 'volume_types.id')
          .where('volume_type_access.project_id', '=', projectId),
      ),
    ]);
}

/** A text that looks like an id is tried as one first. */
const named = (tools: Tools, idOrName: string) =>
  liveTypes(tools)
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .orderBy(sql`case when id = ${idOrName} then 0 else 1 end`)
    .limit(1);

const findAny = statement<{ idOrName: string }>()((tools, p) => named(tools, p.idOrName));

const findUsable = statement<{ idOrName: string; projectId: string }>()((tools, p) =>
  named(tools, p.idOrName).where(usableBy(p.projectId)),
);

interface PageParams {
  readonly isPublic: number | null;
  readonly limit: number;
  readonly after: string;
}

const pageOfTypes = (tools: Tools, p: PageParams) =>
  liveTypes(tools)
    .where('name', '>', p.after)
    .where('is_public', '=', sql<number>`coalesce(${p.isPublic}, is_public)`)
    .orderBy('name')
    .limit(p.limit);

const list = statement<PageParams>()((tools, p) => pageOfTypes(tools, p));

const listUsable = statement<PageParams & { readonly projectId: string }>()((tools, p) =>
  pageOfTypes(tools, p).where(usableBy(p.projectId)),
);

const namesOf = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db.selectFrom('volume_types').select(['id', 'name']).where('id', 'in', listIn(dialect, p.ids)),
);

const allNames = statement()(({ db }) =>
  db.selectFrom('volume_types').select(['id', 'name']).where('deleted_at', 'is', null).orderBy('name'),
);

/** What a foreign key would lock; SQLite has one writer at a time anyway. */
const demanded = ({ db, dialect }: Tools, id: string) => {
  const live = db.selectFrom('volume_types').select('id').where('id', '=', id).where('deleted_at', 'is', null);
  return dialect === 'postgres' ? live.forKeyShare() : live;
};

const demand = statement<{ id: string }>({ isSingle: true })((tools, p) => demanded(tools, p.id));

const demandUsable = statement<{ id: string; projectId: string }>({ isSingle: true })((tools, p) =>
  demanded(tools, p.id).where(usableBy(p.projectId)),
);
