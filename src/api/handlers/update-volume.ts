import type { Store } from '../../db/store.js';
import { clearMetadata, putMetadata } from '../../db/volume-updates.js';
import type { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { changeVolume } from '../change-volume.js';
import { readUpdateVolume } from '../read-update-volume.js';
import { volumeView } from '../views/volume-view.js';

/**
 * `Volumes/UpdateVolume`. Throws InvalidInput and what `changeVolume` throws.
 * Rule: AIP-134; cinder/api/v3/volumes.py, `update`.
 */
export function updateVolume({ store }: { readonly store: Store }): PublicHandler<typeof VolumesService.updateVolume> {
  return async (message, { context }) => {
    const { volumeId, revision, idempotency, values, metadata } = readUpdateVolume(message);
    const volume = await changeVolume(store, context, {
      ...{ volumeId, revision, idempotency, values, notIn: ['maintenance'] },
      event: 'volume.update.end',
      metadata: metadata
        ? [{ step: clearMetadata(volumeId) }, ...(metadata.size > 0 ? [{ step: putMetadata(volumeId, metadata) }] : [])]
        : [],
    });
    return { volume: volumeView(volume) };
  };
}
