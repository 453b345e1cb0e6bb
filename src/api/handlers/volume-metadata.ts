import type { Store } from '../../db/store.js';
import { demandMetadataWithin, putMetadata, removeMetadata } from '../../db/volume-updates.js';
import { Fault } from '../../errors/fault.js';
import { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { VolumeStatus } from '../../objects/volume-status.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { changeVolume, checkRevision } from '../change-volume.js';
import { idempotencyKeyOf } from '../idempotency-key.js';
import { MAX_METADATA_PAIRS } from '../read-create-volume.js';
import { invalid, Violations } from '../validation.js';
import { volumeView } from '../views/volume-view.js';

interface Parts {
  readonly store: Store;
}

/** Rule: cinder/volume/api.py, `update_volume_metadata` and `delete_volume_metadata`. */
const NOT_IN: readonly VolumeStatus[] = ['maintenance', 'uploading'];

/**
 * `Volumes/SetVolumeMetadata`. Throws InvalidInput, also for more pairs than a volume may have, and what `changeVolume` throws.
 * Rule: cinder/api/v3/volume_metadata.py, `create`.
 */
export function setVolumeMetadata({ store }: Parts): PublicHandler<typeof VolumesService.setVolumeMetadata> {
  return async ({ volumeId, metadata, revision, idempotencyKey }, { context }) => {
    const bad = new Violations();
    bad.uuid('volume_id', volumeId);
    if (metadata.size === 0) bad.add('metadata', 'must have at least one pair');
    bad.metadata('metadata', metadata, MAX_METADATA_PAIRS);
    checkRevision(revision, bad);
    const parameters = JSON.stringify([volumeId, [...metadata].sort(), revision ?? null]);
    const idempotency = idempotencyKeyOf(VolumesService.setVolumeMetadata, idempotencyKey, parameters, bad);
    bad.check();
    const volume = await changeVolume(store, context, {
      ...{ volumeId, revision, idempotency, notIn: NOT_IN },
      event: 'volume.metadata.update.end',
      metadata: [
        { step: putMetadata(volumeId, metadata) },
        {
          step: demandMetadataWithin(volumeId, MAX_METADATA_PAIRS),
          refusal: () =>
            invalid(
              'metadata',
              `must make at most ${MAX_METADATA_PAIRS} pairs together with those of the volume that stay`,
            ),
        },
      ],
    });
    return { volume: volumeView(volume) };
  };
}

/**
 * `Volumes/DeleteVolumeMetadata`. Throws InvalidInput, VolumeMetadataNotFound, and what `changeVolume` throws.
 * Rule: cinder/api/v3/volume_metadata.py, `delete`.
 */
export function deleteVolumeMetadata({ store }: Parts): PublicHandler<typeof VolumesService.deleteVolumeMetadata> {
  return async ({ volumeId, keys: given, revision, idempotencyKey }, { context }) => {
    const bad = new Violations();
    const keys = [...new Set(given)].sort();
    bad.uuid('volume_id', volumeId);
    if (given.length === 0) bad.add('keys', 'must have at least one key');
    if (given.length > MAX_METADATA_PAIRS) bad.add('keys', `must have at most ${MAX_METADATA_PAIRS} keys`);
    else given.forEach((key, index) => bad.text(`keys[${index}]`, key, 1, 255));
    checkRevision(revision, bad);
    const parameters = JSON.stringify([volumeId, keys, revision ?? null]);
    const idempotency = idempotencyKeyOf(VolumesService.deleteVolumeMetadata, idempotencyKey, parameters, bad);
    bad.check();
    const volume = await changeVolume(store, context, {
      ...{ volumeId, revision, idempotency, notIn: NOT_IN },
      event: 'volume.metadata.delete.end',
      metadata: [
        {
          step: removeMetadata(volumeId, keys),
          refusal({ metadata }) {
            const metadataKey = keys.find((key) => !metadata.has(key));
            return metadataKey === undefined
              ? undefined // it has come in the meantime
              : new Fault('VolumeMetadataNotFound', { volumeId, metadataKey });
          },
        },
      ],
    });
    return { volume: volumeView(volume) };
  };
}
