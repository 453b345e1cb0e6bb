import { sql } from 'kysely';
import { Fault } from '../errors/fault.js';
import type { VolumeType } from '../objects/volume-type.js';
import { fromPairs, listIn, pairsOf } from './json.js';
import { statement, type Tools } from './statement.js';
import type { Store } from './store.js';

export { DEFAULT_VOLUME_TYPE_ID } from './migrations/0001-first.js';

/**
 * The live volume type with this id, else the one with this name. With a project: only one that it may use.
 * Rule: cinder/volume/volume_types.py, `get_by_name_or_id`.
 */
export async function findVolumeType(
  store: Store,
  { idOrName, projectId }: { readonly idOrName: string; readonly projectId?: string },
): Promise<VolumeType | undefined> {
  const rows = await store.read(
    projectId === undefined ? findAny.with({ idOrName }) : findUsable.with({ idOrName, projectId }),
  );
  return rows[0] && volumeTypeOf(rows[0]);
}

/**
 * The type of a project's volumes that name none: the project's own default, else the configured one.
 * Throws VolumeTypeDefaultMisconfigured when there is neither. Rule: cinder/volume/volume_types.py, `get_default_volume_type`.
 */
export async function defaultVolumeType(
  store: Store,
  { projectId, configuredName }: { readonly projectId: string; readonly configuredName: string },
): Promise<VolumeType> {
  const [row] = await store.read(findDefault.with({ projectId, configuredName }));
  if (!row) throw new Fault('VolumeTypeDefaultMisconfigured', { volumeType: configuredName });
  return volumeTypeOf(row);
}

/** Names of these types, deleted ones too, by id. */
export async function volumeTypeNames(store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await store.read(namesOf.with({ ids: JSON.stringify(ids) }));
  return new Map(rows.map(({ id, name }) => [id, name]));
}

interface VolumeTypeRow {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_public: number;
  readonly qos_specs_id: string | null;
  readonly extra_specs: string;
}

function volumeTypeOf(row: VolumeTypeRow): VolumeType {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isPublic: row.is_public === 1,
    qosSpecsId: row.qos_specs_id,
    extraSpecs: fromPairs(row.extra_specs),
  };
}

const specs = sql`select key, value from volume_type_extra_specs where volume_type_id = volume_types.id order by position`;

const liveTypes = ({ db, dialect }: Tools) =>
  db
    .selectFrom('volume_types')
    .select(['id', 'name', 'description', 'is_public', 'qos_specs_id', pairsOf(dialect, specs).as('extra_specs')])
    .where('deleted_at', 'is', null)
    .limit(1);

/** A text that looks like an id is tried as one first. */
const named = (tools: Tools, idOrName: string) =>
  liveTypes(tools)
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .orderBy(sql`case when id = ${idOrName} then 0 else 1 end`);

const findAny = statement<{ idOrName: string }>()((tools, p) => named(tools, p.idOrName));

const findUsable = statement<{ idOrName: string; projectId: string }>()((tools, p) =>
  named(tools, p.idOrName).where((eb) =>
    eb.or([
      eb('is_public', '=', 1),
      eb.exists(
        eb
          .selectFrom('volume_type_access')
          .select('project_id')
          .whereRef('volume_type_access.volume_type_id', '=', 'volume_types.id')
          .where('volume_type_access.project_id', '=', p.projectId),
      ),
    ]),
  ),
);

const findDefault = statement<{ projectId: string; configuredName: string }>()((tools, p) => {
  const own = tools.db
    .selectFrom('default_volume_types')
    .select('default_volume_types.volume_type_id')
    .where('default_volume_types.project_id', '=', p.projectId);
  return liveTypes(tools)
    .where((eb) => eb.or([eb('id', '=', own), eb('name', '=', p.configuredName)]))
    .orderBy(({ eb }) => eb.case().when('id', '=', own).then(0).else(1).end());
});

const namesOf = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db.selectFrom('volume_types').select(['id', 'name']).where('id', 'in', listIn(dialect, p.ids)),
);

/** Ids and names of the live types, by name. */
export async function listVolumeTypeNames(
  store: Store,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return store.read(allNames.with({}));
}

const allNames = statement()(({ db }) =>
  db.selectFrom('volume_types').select(['id', 'name']).where('deleted_at', 'is', null).orderBy('name'),
);
