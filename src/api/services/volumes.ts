import { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { createVolume, type CreateVolumeParts } from '../handlers/create-volume.js';
import { deleteVolume, type DeleteVolumeParts } from '../handlers/delete-volume.js';
import { getVolume } from '../handlers/get-volume.js';
import { listVolumes, type ListVolumesParts } from '../handlers/list-volumes.js';
import { notBuilt } from '../handlers/not-built.js';
import { watchVolumes, type WatchVolumesParts } from '../handlers/watch-volumes.js';

export type VolumesParts = CreateVolumeParts & DeleteVolumeParts & ListVolumesParts & WatchVolumesParts;

/** `cinder.api.v3.Volumes`, rpc → handler. */
export function volumes(parts: VolumesParts): PublicService {
  return publicService(VolumesService, {
    createVolume: createVolume(parts),
    getVolume: getVolume(parts),
    listVolumes: listVolumes(parts),
    deleteVolume: deleteVolume(parts),
    watchVolumes: watchVolumes(parts),
    summarizeVolumes: notBuilt('SummarizeVolumes'),
    updateVolume: notBuilt('UpdateVolume'),
    setVolumeMetadata: notBuilt('SetVolumeMetadata'),
    deleteVolumeMetadata: notBuilt('DeleteVolumeMetadata'),
  });
}
