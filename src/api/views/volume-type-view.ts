import type { VolumeTypeRecord } from '../../db/volume-type-rows.js';
import type { VolumeType as WireVolumeType } from '../../gen/cinder/api/v3/volume_types.js';
import type { RequestContext } from '../../objects/request-context.js';
import { allows } from '../policy.js';

/** Extra specs that concern users. Rule: cinder/api/api_utils.py, user-visible extra specs. */
const USER_VISIBLE: readonly string[] = ['RESKEY:availability_zones', 'multiattach', 'replication_enabled'];

/** A volume type as a caller sees it: the other extra specs say how the installation is made. */
export function volumeTypeView(type: VolumeTypeRecord, context: RequestContext): WireVolumeType {
  const seesAll = allows('volume_extension:types_extra_specs:read_sensitive', context);
  const seen = [...type.extraSpecs].filter(([key]) => seesAll || USER_VISIBLE.includes(key));
  return {
    id: type.id,
    name: type.name,
    description: type.description ?? undefined,
    isPublic: type.isPublic,
    extraSpecs: new Map(seen),
    qosSpecsId: type.qosSpecsId ?? undefined,
    createdAt: new Date(type.createdAt),
    updatedAt: new Date(type.updatedAt),
  };
}
