import type { Store } from '../db/store.js';
import type { VolumeTypeRecord } from '../db/volume-type-rows.js';
import { findVolumeType } from '../db/volume-types.js';
import { Fault } from '../errors/fault.js';
import { type RequestContext, seesEverything } from '../objects/request-context.js';

/**
 * The type with this id or name, if the caller may know of it: a private one does not exist for projects that may not use
 * it. Throws VolumeTypeNotFound. Rule: cinder/volume/volume_types.py, `get_by_name_or_id`.
 */
export async function visibleVolumeType(
  store: Store,
  context: RequestContext,
  idOrName: string,
): Promise<VolumeTypeRecord> {
  const { projectId } = context;
  const type = await findVolumeType(store, { idOrName, ...(!seesEverything(context) && { projectId }) });
  if (!type) throw new Fault('VolumeTypeNotFound', { volumeType: idOrName });
  return type;
}

/** The type of a volume that is there, whoever may use it. Throws VolumeTypeNotFound. */
export async function typeOfVolume(store: Store, volumeTypeId: string): Promise<VolumeTypeRecord> {
  const type = await findVolumeType(store, { idOrName: volumeTypeId });
  if (!type) throw new Fault('VolumeTypeNotFound', { volumeType: volumeTypeId });
  return type;
}
