import { Fault } from '../errors/fault.js';
import type { Volume } from '../objects/volume.js';
import type { VolumeType } from '../objects/volume-type.js';
import { invalid } from './validation.js';
import type { Zones } from './zones.js';

export interface ZoneRules {
  readonly zones: Zones;
  /** Zone of a volume that names none. */
  readonly defaultZone: string;
  /** Whether an unknown zone becomes the default one. */
  readonly zoneFallback: boolean;
  /** Whether a clone must be in the zone of its source. */
  readonly clonedVolumeSameAz: boolean;
}

/** What has a say in the zone of a volume. */
export interface ZoneWishes {
  /** As the caller named it. */
  readonly asked: string | undefined;
  readonly type: VolumeType;
  readonly source: Volume | undefined;
}

/**
 * The zones that will do, at least one: what was asked for, else the source's, else what the type says, else the default.
 * Throws InvalidAvailabilityZone, InvalidTypeAvailabilityZones; InvalidInput for a clone that is to leave its source's zone.
 * Rule: cinder/volume/flows/api/create_volume.py, `_extract_availability_zones`.
 */
export async function chooseZones(rules: ZoneRules, { asked, type, source }: ZoneWishes): Promise<readonly string[]> {
  const zones = await withoutSource(rules, asked ?? source?.availabilityZone ?? undefined, type);
  const ofSource = source?.availabilityZone ?? null;
  if (rules.clonedVolumeSameAz && ofSource !== null && !zones.every((zone) => zone === ofSource)) {
    throw invalid('availability_zone', `must be '${ofSource}', the zone of the volume that is cloned`);
  }
  return zones;
}

async function withoutSource(
  { zones, defaultZone, zoneFallback }: ZoneRules,
  asked: string | undefined,
  type: VolumeType,
): Promise<readonly string[]> {
  const known = await zones.known();
  const ofType = type.extraSpecs
    .get('RESKEY:availability_zones')
    ?.split(',')
    .map((zone) => zone.trim());
  const safe = ofType ? [...new Set(ofType)].filter((zone) => known.has(zone)) : [...known];
  if (ofType && safe.length === 0) {
    throw new Fault('InvalidTypeAvailabilityZones', { volumeType: type.name, availabilityZones: ofType.join(', ') });
  }
  if (asked === undefined && ofType) return safe;
  const zone = asked ?? defaultZone;
  if (safe.includes(zone)) return [zone];
  if (zoneFallback) return [defaultZone];
  throw new Fault('InvalidAvailabilityZone', { availabilityZone: zone });
}
