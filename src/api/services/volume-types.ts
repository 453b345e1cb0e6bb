import { VolumeTypesService } from '../../gen/cinder/api/v3/volume_types.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { addVolumeTypeAccess } from '../handlers/add-volume-type-access.js';
import { createVolumeType, type CreateVolumeTypeParts } from '../handlers/create-volume-type.js';
import { deleteVolumeTypeExtraSpecs } from '../handlers/delete-volume-type-extra-specs.js';
import { deleteVolumeType, type DeleteVolumeTypeParts } from '../handlers/delete-volume-type.js';
import { getDefaultVolumeType } from '../handlers/get-default-volume-type.js';
import { getVolumeType } from '../handlers/get-volume-type.js';
import { listVolumeTypeAccess } from '../handlers/list-volume-type-access.js';
import { listVolumeTypes, type VolumeTypePagesParts } from '../handlers/list-volume-types.js';
import { removeVolumeTypeAccess } from '../handlers/remove-volume-type-access.js';
import { setDefaultVolumeType } from '../handlers/set-default-volume-type.js';
import { setVolumeTypeExtraSpecs } from '../handlers/set-volume-type-extra-specs.js';
import { unsetDefaultVolumeType } from '../handlers/unset-default-volume-type.js';
import { updateVolumeType } from '../handlers/update-volume-type.js';

export type VolumeTypesParts = CreateVolumeTypeParts & DeleteVolumeTypeParts & VolumeTypePagesParts;

/** `cinder.api.v3.VolumeTypes`, rpc → handler. */
export function volumeTypes(parts: VolumeTypesParts): PublicService {
  return publicService(VolumeTypesService, {
    createVolumeType: createVolumeType(parts),
    getVolumeType: getVolumeType(parts),
    listVolumeTypes: listVolumeTypes(parts),
    updateVolumeType: updateVolumeType(parts),
    deleteVolumeType: deleteVolumeType(parts),
    setVolumeTypeExtraSpecs: setVolumeTypeExtraSpecs(parts),
    deleteVolumeTypeExtraSpecs: deleteVolumeTypeExtraSpecs(parts),
    addVolumeTypeAccess: addVolumeTypeAccess(parts),
    removeVolumeTypeAccess: removeVolumeTypeAccess(parts),
    listVolumeTypeAccess: listVolumeTypeAccess(parts),
    getDefaultVolumeType: getDefaultVolumeType(parts),
    setDefaultVolumeType: setDefaultVolumeType(parts),
    unsetDefaultVolumeType: unsetDefaultVolumeType(parts),
  });
}
