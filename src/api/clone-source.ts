import { Fault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';
import type { Volume } from '../objects/volume.js';
import { CLONABLE } from '../objects/volume-status.js';
import type { VolumeType } from '../objects/volume-type.js';
import { invalid } from './validation.js';

/** Where sources of clones are found. */
export interface Sources {
  /** By id, if the caller may know of it. Throws Fault VolumeNotFound. */
  find(volumeId: string, context: RequestContext): Promise<Volume>;
}

/** What a volume is asked that is to be cloned: that its status allows it, and that it is somewhere. Throws InvalidVolume. */
export function checkSource({ id, status, host }: Volume): void {
  if (CLONABLE.includes(status) && host !== null) return;
  const reason = `Volume ${id} cannot be cloned: it must be ${CLONABLE.join(' or ')}, and is ${status}.`;
  throw new Fault('InvalidVolume', { volumeId: id, reason });
}

/** The size that was asked for, else the source's, GiB. Throws InvalidInput for less than that or when there is neither. */
export function sizeWith(asked: number | undefined, source: Volume | undefined): number {
  const sizeGib = asked ?? source?.sizeGib;
  if (sizeGib === undefined) throw invalid('size', 'is required for a volume without a source');
  if (source && sizeGib < source.sizeGib) {
    throw invalid('size', `must be at least ${source.sizeGib} GiB, the size of the volume that is cloned`);
  }
  return sizeGib;
}

/**
 * A clone is made where its source is, so another type must be one of that backend: both name the same
 * `volume_backend_name`. Throws InvalidInput. Cinder also lets any type pass while exactly one volume service is disabled,
 * which says nothing of the types. Rule: cinder/volume/api.py, `_retype_is_possible`.
 */
export function checkTypeOfClone(type: VolumeType, ofSource: VolumeType): void {
  if (type.id === ofSource.id) return;
  const backend = type.extraSpecs.get(BACKEND_NAME);
  if (backend && backend === ofSource.extraSpecs.get(BACKEND_NAME)) return;
  const description =
    `a clone cannot have the type '${type.name}': it is made where its source is, and only types that name the same ` +
    `${BACKEND_NAME} as '${ofSource.name}' are known to fit there`;
  throw invalid('volume_type', description);
}

const BACKEND_NAME = 'volume_backend_name';
