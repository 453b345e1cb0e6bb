import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { VolumeType } from '../../objects/volume-type.js';
import type { CreateVolume } from '../requests.js';
import { invalid } from '../validation.js';
import type { Zones } from '../zones.js';

/** A volume that may be made: every name resolved. */
export interface VolumeSpec {
  readonly sizeGib: number;
  readonly volumeType: VolumeType;
  /** Zones that will do, at least one. */
  readonly availabilityZones: readonly string[];
  readonly multiattach: boolean;
}

/** Where volume types are found. */
export interface VolumeTypes {
  /** By id or name, if the caller may use it. Throws Fault VolumeTypeNotFound. */
  find(idOrName: string, context: RequestContext): Promise<VolumeType>;
  /** The project's default, else the configured one. Throws Fault VolumeTypeDefaultMisconfigured. */
  default(projectId: string): Promise<VolumeType>;
}

export interface ExtractVolumeRequestParts {
  readonly types: VolumeTypes;
  readonly zones: Zones;
  /** Zone of a volume that names none. */
  readonly defaultZone: string;
  /** Whether an unknown zone becomes the default one. */
  readonly zoneFallback: boolean;
}

/**
 * Resolves type and zone, and checks the size against the type. Reads only.
 * Throws VolumeTypeNotFound, VolumeTypeDefaultMisconfigured, InvalidAvailabilityZone, InvalidInput.
 * Rule: cinder/volume/flows/api/create_volume.py, ExtractVolumeRequestTask.
 */
export const extractVolumeRequest = (
  parts: ExtractVolumeRequestParts,
): Task<{ context: RequestContext; request: CreateVolume }, { spec: VolumeSpec }> => ({
  name: 'ExtractVolumeRequest',

  async execute({ context, request }) {
    const volumeType = await (request.volumeType === undefined
      ? parts.types.default(context.projectId)
      : parts.types.find(request.volumeType, context));
    checkSize(request.sizeGib, volumeType);
    const availabilityZones = await chooseZones(parts, request.availabilityZone, volumeType);
    const multiattach = volumeType.extraSpecs.get('multiattach') === '<is> True';
    return { spec: { sizeGib: request.sizeGib, volumeType, availabilityZones, multiattach } };
  },
});

/** Rule: cinder/volume/volume_types.py, `provision_filter_on_size`. */
function checkSize(sizeGib: number, type: VolumeType): void {
  const min = Number(type.extraSpecs.get('provisioning:min_vol_size') ?? 0);
  const max = Number(type.extraSpecs.get('provisioning:max_vol_size') ?? Infinity);
  if (sizeGib < min) throw invalid('size', `must be at least ${min} GiB for volume type '${type.name}'`);
  if (sizeGib > max) throw invalid('size', `must be at most ${max} GiB for volume type '${type.name}'`);
}

/** Rule: cinder/volume/flows/api/create_volume.py, `_extract_availability_zones`. */
async function chooseZones(
  parts: ExtractVolumeRequestParts,
  asked: string | undefined,
  type: VolumeType,
): Promise<readonly string[]> {
  const known = await parts.zones.known();
  const ofType = type.extraSpecs
    .get('RESKEY:availability_zones')
    ?.split(',')
    .map((zone) => zone.trim());
  const safe = ofType ? ofType.filter((zone) => known.has(zone)) : [...known];
  if (ofType && safe.length === 0) throw new Fault('InvalidAvailabilityZone', { availabilityZone: ofType.join(',') });
  if (asked === undefined && ofType) return safe;
  const zone = asked ?? parts.defaultZone;
  if (safe.includes(zone)) return [zone];
  if (parts.zoneFallback) return [parts.defaultZone];
  throw new Fault('InvalidAvailabilityZone', { availabilityZone: zone });
}
