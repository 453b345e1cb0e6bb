import type { CreateVolumeOnVolume } from '../../casts/cast-messages.js';
import type { Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import type { VolumePlace } from '../../drivers/driver.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { Volume } from '../../objects/volume.js';
import type { Backend } from '../backend.js';
import { patiently } from '../patience.js';

/** What the driver is to make, and of what, in Cinder's words. */
export type VolumeSpec =
  | { readonly type: 'raw'; readonly place: VolumePlace }
  | { readonly type: 'source_vol'; readonly place: VolumePlace; readonly source: VolumePlace };

/**
 * Says what the volume is made of. Throws VolumeNotFound for a source that is gone, NotMyBackend for one that is somewhere
 * else, NotBuilt for what cannot be a source yet.
 * Rule: cinder/volume/flows/manager/create_volume.py, ExtractVolumeSpecTask.
 */
export const extractVolumeSpec = ({
  store,
}: {
  readonly store: Store;
}): Task<
  { backend: Backend; cast: CreateVolumeOnVolume; refreshed: Volume; place: VolumePlace },
  { spec: VolumeSpec }
> => ({
  name: 'ExtractVolumeSpec',

  async execute({ backend, cast, refreshed, place }, { signal }) {
    const { sourceVolumeId } = refreshed;
    const unknown = unknownSource(refreshed, cast);
    if (unknown) throw new Fault('NotBuilt', { what: `Creating a volume from ${unknown}` });
    if (sourceVolumeId === null) return { spec: { type: 'raw', place } };
    const source = await patiently(signal, () => findVolume(store, { id: sourceVolumeId }));
    if (!source) throw new Fault('VolumeNotFound', { volumeId: sourceVolumeId });
    return { spec: { type: 'source_vol', place, source: backend.placeOf(source) } };
  },
});

function unknownSource(volume: Volume, { requestSpec }: CreateVolumeOnVolume): string | undefined {
  if (volume.snapshotId !== null) return 'a snapshot';
  if (requestSpec?.imageId !== undefined) return 'an image';
  return requestSpec?.backupId === undefined ? undefined : 'a backup';
}
