import type { CreateVolumeOnVolume } from '../../casts/cast-messages.js';
import type { VolumePlace } from '../../drivers/driver.js';
import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { Volume } from '../../objects/volume.js';

/** What the driver is to make, and of what. */
export interface VolumeSpec {
  readonly type: 'raw';
  readonly place: VolumePlace;
}

/**
 * Says what the volume is made of. Throws NotBuilt for a volume that is a copy of something.
 * Rule: cinder/volume/flows/manager/create_volume.py, ExtractVolumeSpecTask.
 */
export const extractVolumeSpec = (): Task<
  { cast: CreateVolumeOnVolume; refreshed: Volume; place: VolumePlace },
  { spec: VolumeSpec }
> => ({
  name: 'ExtractVolumeSpec',

  async execute({ cast, refreshed, place }) {
    const source = sourceOf(refreshed, cast);
    if (source) throw new Fault('NotBuilt', { what: `Creating a volume from ${source}` });
    return { spec: { type: 'raw', place } };
  },
});

/** In Cinder's order. */
function sourceOf(volume: Volume, { requestSpec }: CreateVolumeOnVolume): string | undefined {
  if (volume.snapshotId !== null) return 'a snapshot';
  if (volume.sourceVolumeId !== null) return 'another volume';
  if (requestSpec?.imageId !== undefined) return 'an image';
  return requestSpec?.backupId === undefined ? undefined : 'a backup';
}
