import { Fault } from '../errors/fault.js';
import type { VolumeType } from '../objects/volume-type.js';

/** Refuses a public type where a list of projects is meant: everybody may use it. Throws InvalidVolumeType. */
export function onlyPrivate({ name, isPublic }: VolumeType): void {
  if (isPublic) {
    const reason = `'${name}' is public: there is no list of projects that may use it.`;
    throw new Fault('InvalidVolumeType', { volumeType: name, reason });
  }
}
