import { Fault } from '../../errors/fault.js';
import type { Task } from '../../flow/flow.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { Volume } from '../../objects/volume.js';
import type { VolumeType } from '../../objects/volume-type.js';
import { chooseZones, type ZoneRules } from '../choose-zones.js';
import { checkSource, checkTypeOfClone, sizeWith, type Sources } from '../clone-source.js';
import { allows } from '../policy.js';
import type { CreateVolume } from '../requests.js';
import { invalid } from '../validation.js';

/** A volume that may be made: every name resolved. */
export interface VolumeSpec {
  readonly sizeGib: number;
  readonly volumeType: VolumeType;
  /** Zones that will do, at least one. */
  readonly availabilityZones: readonly string[];
  readonly multiattach: boolean;
  /** The volume to clone, as it was when it was looked at. */
  readonly source: Volume | undefined;
}

/** Where volume types are found. */
export interface VolumeTypes {
  /** By id or name, if the caller may use it. Throws Fault VolumeTypeNotFound. */
  find(idOrName: string, context: RequestContext): Promise<VolumeType>;
  /** Of a volume that is there, whoever may use it. Throws Fault VolumeTypeNotFound. */
  ofVolume(id: string): Promise<VolumeType>;
  /** The project's default, else the configured one. Throws Fault VolumeTypeDefaultMisconfigured. */
  default(projectId: string): Promise<VolumeType>;
}

export interface ExtractVolumeRequestParts extends ZoneRules {
  readonly types: VolumeTypes;
  readonly sources: Sources;
}

/**
 * Resolves source, type and zone, and checks the size against source and type. Reads only: what must still be so when the
 * volume is recorded, EntryCreate demands there.
 * Throws VolumeNotFound, InvalidVolume, VolumeTypeNotFound, VolumeTypeDefaultMisconfigured, InvalidAvailabilityZone,
 * InvalidTypeAvailabilityZones, InvalidInput, PolicyNotAuthorized.
 * Rule: cinder/volume/flows/api/create_volume.py, ExtractVolumeRequestTask.
 */
export const extractVolumeRequest = (
  parts: ExtractVolumeRequestParts,
): Task<{ context: RequestContext; request: CreateVolume }, { spec: VolumeSpec }> => ({
  name: 'ExtractVolumeRequest',

  async execute({ context, request }) {
    const source =
      request.sourceVolumeId === undefined ? undefined : await parts.sources.find(request.sourceVolumeId, context);
    if (source) checkSource(source);
    const volumeType = await typeOf(parts.types, context, request, source);
    const sizeGib = sizeWith(request.sizeGib, source);
    checkSize(sizeGib, volumeType);
    const wishes = { asked: request.availabilityZone, type: volumeType, source };
    const availabilityZones = await chooseZones(parts, wishes);
    const multiattach = volumeType.extraSpecs.get('multiattach') === '<is> True';
    if (multiattach && !allows('volume:multiattach', context)) {
      throw new Fault('PolicyNotAuthorized', { action: 'volume:multiattach' });
    }
    return { spec: { sizeGib, volumeType, availabilityZones, multiattach, source } };
  },
});

/** The type asked for, if a clone may have it; else the source's; else the default. */
async function typeOf(
  types: VolumeTypes,
  context: RequestContext,
  { volumeType: asked }: CreateVolume,
  source: Volume | undefined,
): Promise<VolumeType> {
  const explicit = asked === undefined ? undefined : await types.find(asked, context);
  if (!source) return explicit ?? types.default(context.projectId);
  const ofSource = await types.ofVolume(source.volumeTypeId);
  if (explicit) checkTypeOfClone(explicit, ofSource);
  return explicit ?? ofSource;
}

/** Rule: cinder/volume/volume_types.py, `provision_filter_on_size`. */
function checkSize(sizeGib: number, type: VolumeType): void {
  const min = Number(type.extraSpecs.get('provisioning:min_vol_size') ?? 0);
  const max = Number(type.extraSpecs.get('provisioning:max_vol_size') ?? Infinity);
  if (sizeGib < min) throw invalid('size', `must be at least ${min} GiB for volume type '${type.name}'`);
  if (sizeGib > max) throw invalid('size', `must be at most ${max} GiB for volume type '${type.name}'`);
}
