import { Fault } from '../errors/fault.js';
import { statement } from './statement.js';
import type { Step, Store } from './store.js';
import { liveTypes, volumeTypeOf, type VolumeTypeRecord } from './volume-type-rows.js';

/**
 * The type of a project's volumes that name none: the project's own default, else the configured one.
 * Throws VolumeTypeDefaultMisconfigured when there is neither. Rule: cinder/volume/volume_types.py, `get_default_volume_type`.
 */
export async function defaultVolumeType(
  store: Store,
  { projectId, configuredName }: { readonly projectId: string; readonly configuredName: string },
): Promise<VolumeTypeRecord> {
  const [row] = await store.read(findDefault.with({ projectId, configuredName }));
  if (!row) throw new Fault('VolumeTypeDefaultMisconfigured', { volumeType: configuredName });
  return volumeTypeOf(row);
}

/** Sets a project's own default. Safe to repeat. */
export function putDefaultVolumeType(projectId: string, volumeTypeId: string): Step {
  return { statement: put.with({ projectId, volumeTypeId }), rows: 1 };
}

/** Takes a project's own default away: the configured one is used again. Safe to repeat. */
export function deleteDefaultVolumeType(projectId: string): Step {
  return { statement: remove.with({ projectId }) };
}

const findDefault = statement<{ projectId: string; configuredName: string }>()((tools, p) => {
  const own = tools.db
    .selectFrom('default_volume_types')
    .select('default_volume_types.volume_type_id')
    .where('default_volume_types.project_id', '=', p.projectId);
  return liveTypes(tools)
    .where((eb) => eb.or([eb('id', '=', own), eb('name', '=', p.configuredName)]))
    .orderBy(({ eb }) => eb.case().when('id', '=', own).then(0).else(1).end())
    .limit(1);
});

const put = statement<{ projectId: string; volumeTypeId: string }>()(({ db }, p) =>
  db
    .insertInto('default_volume_types')
    .values({ project_id: p.projectId, volume_type_id: p.volumeTypeId })
    .onConflict((conflict) =>
      conflict.column('project_id').doUpdateSet((eb) => ({ volume_type_id: eb.ref('excluded.volume_type_id') })),
    ),
);

const remove = statement<{ projectId: string }>()(({ db }, p) =>
  db.deleteFrom('default_volume_types').where('project_id', '=', p.projectId),
);
