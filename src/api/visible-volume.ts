import type { Store } from '../db/store.js';
import { findVolume } from '../db/volumes.js';
import { Fault } from '../errors/fault.js';
import { type RequestContext, seesEverything } from '../objects/request-context.js';
import type { Volume } from '../objects/volume.js';
import { Violations } from './validation.js';

/**
 * The volume, if the caller may know of it: of the own project, or any for who sees everything. Another project's volume
 * does not exist. Throws InvalidInput for a malformed id, VolumeNotFound.
 */
export async function visibleVolume(store: Store, context: RequestContext, volumeId: string): Promise<Volume> {
  const bad = new Violations();
  bad.uuid('volume_id', volumeId);
  bad.check();
  const volume = await findVolume(store, {
    id: volumeId,
    ...(!seesEverything(context) && { projectId: context.projectId }),
  });
  if (!volume) throw new Fault('VolumeNotFound', { volumeId });
  return volume;
}
