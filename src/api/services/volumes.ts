import { VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { createVolume, type CreateVolumeParts } from '../handlers/create-volume.js';
import { deleteVolume, type DeleteVolumeParts } from '../handlers/delete-volume.js';
import { getVolume } from '../handlers/get-volume.js';
import { listVolumes, type ListVolumesParts } from '../handlers/list-volumes.js';
import { deleteVolumeMetadata, setVolumeMetadata } from '../handlers/volume-metadata.js';
import { resetVolumeStatus, type ResetVolumeStatusParts } from '../handlers/reset-volume-status.js';
import { summarizeVolumes } from '../handlers/summarize-volumes.js';
import { updateVolume } from '../handlers/update-volume.js';
import { watchVolumes, type WatchVolumesParts } from '../handlers/watch-volumes.js';

export type VolumesParts = CreateVolumeParts &
  DeleteVolumeParts &
  ListVolumesParts &
  ResetVolumeStatusParts &
  WatchVolumesParts;

/** `cinder.api.v3.Volumes`, rpc → handler. */
export function volumes(parts: VolumesParts): PublicService {
  return publicService(VolumesService, {
    createVolume: createVolume(parts),
    getVolume: getVolume(parts),
    listVolumes: listVolumes(parts),
    deleteVolume: deleteVolume(parts),
    watchVolumes: watchVolumes(parts),
    summarizeVolumes: summarizeVolumes(parts),
    updateVolume: updateVolume(parts),
    setVolumeMetadata: setVolumeMetadata(parts),
    deleteVolumeMetadata: deleteVolumeMetadata(parts),
    resetVolumeStatus: resetVolumeStatus(parts),
  });
}
