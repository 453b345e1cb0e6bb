import type { CastHandler } from '../casts/handler.js';
import { aheadOfDisk } from '../db/ahead-of-disk.js';
import { createVolume, type CreateVolumeParts } from './handlers/create-volume.js';
import { deleteVolume, type DeleteVolumeParts } from './handlers/delete-volume.js';

export type VolumeManagerParts = CreateVolumeParts & DeleteVolumeParts;

/** What the volume service does with its durable casts, by the RPC's name. Rule: cinder/volume/manager.py, `VolumeManager`. */
export function volumeManager(parts: VolumeManagerParts): ReadonlyMap<string, CastHandler> {
  const handlers = {
    // its quota is settled by then, and whoever goes on with it makes the same file again; a deletion gives quota back
    CreateVolume: createVolume({ ...parts, store: aheadOfDisk(parts.store) }),
    DeleteVolume: deleteVolume(parts),
  };
  // each handler reads what its own `run` takes; the engine only passes it on, and `never` lets nobody else make one up
  return new Map(Object.entries(handlers as unknown as Record<string, CastHandler>));
}
