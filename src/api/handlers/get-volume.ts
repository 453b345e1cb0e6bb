import type { Store } from '../../db/store.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { visibleVolume } from '../visible-volume.js';
import { volumeView } from '../views/volume-view.js';

/** `Volumes/GetVolume`. Throws InvalidInput, VolumeNotFound. */
export function getVolume({ store }: { readonly store: Store }): PublicHandler<typeof VolumesService.getVolume> {
  return async ({ volumeId }, { context }) => ({ volume: volumeView(await visibleVolume(store, context, volumeId)) });
}
