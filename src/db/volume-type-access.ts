import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/** A project that may use a private type. */
export interface VolumeTypeAccess {
  readonly volumeTypeId: string;
  readonly projectId: string;
}

/** Demands a live private type until the unit is written: only such a type has a list of projects. */
export function demandPrivateVolumeType(id: string): Step {
  return { statement: demandPrivate.with({ id }), rows: 1 };
}

/** Lets a project use a private type. A UniqueViolation when it may already. */
export function insertVolumeTypeAccess(access: VolumeTypeAccess): Step {
  return { statement: insert.with({ ...access }), rows: 1 };
}

/** Takes a private type away from a project; touches no row when it was not on the list. */
export function deleteVolumeTypeAccess(access: VolumeTypeAccess): Step {
  return { statement: remove.with({ ...access }), rows: 1 };
}

/** A page of the projects that may use a private type, by id. `after`: the last one of the page before. */
export async function listVolumeTypeAccess(
  store: Store,
  {
    volumeTypeId,
    limit,
    after = '',
  }: { readonly volumeTypeId: string; readonly limit: number; readonly after?: string },
): Promise<readonly string[]> {
  return (await store.read(list.with({ volumeTypeId, limit, after }))).map(({ project_id }) => project_id);
}

const demandPrivate = statement<{ id: string }>()(({ db, dialect }, p) => {
  const type = db
    .selectFrom('volume_types')
    .select('id')
    .where('id', '=', p.id)
    .where('is_public', '=', 0)
    .where('deleted_at', 'is', null);
  return dialect === 'postgres' ? type.forKeyShare() : type;
});

const insert = statement<VolumeTypeAccess>()(({ db }, p) =>
  db.insertInto('volume_type_access').values({ volume_type_id: p.volumeTypeId, project_id: p.projectId }),
);

const remove = statement<VolumeTypeAccess>()(({ db }, p) =>
  db
    .deleteFrom('volume_type_access')
    .where('volume_type_id', '=', p.volumeTypeId)
    .where('project_id', '=', p.projectId),
);

const list = statement<{ volumeTypeId: string; limit: number; after: string }>()(({ db }, p) =>
  db
    .selectFrom('volume_type_access')
    .select('project_id')
    .where('volume_type_id', '=', p.volumeTypeId)
    .where('project_id', '>', p.after)
    .orderBy('project_id')
    .limit(p.limit),
);
