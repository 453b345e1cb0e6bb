import { Fault } from '../../errors/fault.js';
import { allocatedCapacityWeigher } from './allocated-capacity.js';
import { capacityWeigher } from './capacity.js';
import { chanceWeigher } from './chance.js';
import { goodnessWeigher } from './goodness.js';
import { volumeNumberWeigher } from './volume-number.js';
import type { Weigher, WeigherParts } from './weigher.js';

export type { Weigher, WeigherParts } from './weigher.js';

/** Every weigher there is, by Cinder's class name. */
const WEIGHERS: ReadonlyMap<string, (parts: WeigherParts) => Weigher> = new Map([
  ['AllocatedCapacityWeigher', allocatedCapacityWeigher],
  ['CapacityWeigher', capacityWeigher],
  ['ChanceWeigher', chanceWeigher],
  ['GoodnessWeigher', goodnessWeigher],
  ['VolumeNumberWeigher', volumeNumberWeigher],
]);

/** The named weighers, in that order. Throws SchedulerHostWeigherNotFound with every name that is none. */
export function weighersByName(names: readonly string[], parts: WeigherParts): readonly Weigher[] {
  const unknown = names.filter((name) => !WEIGHERS.has(name));
  if (unknown.length > 0) throw new Fault('SchedulerHostWeigherNotFound', { weigherName: unknown.join(', ') });
  return names.flatMap((name) => WEIGHERS.get(name)?.(parts) ?? []);
}
