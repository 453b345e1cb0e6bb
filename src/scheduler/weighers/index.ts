import { Fault } from '../../errors/fault.js';
import { capacityWeigher } from './capacity.js';
import type { Weigher, WeigherOptions } from './weigher.js';

export type { Weigher, WeigherOptions } from './weigher.js';

/** Every weigher there is, by Cinder's class name. */
const WEIGHERS: ReadonlyMap<string, (options: WeigherOptions) => Weigher> = new Map([
  ['CapacityWeigher', capacityWeigher],
]);

/** Cinder's default for `scheduler_default_weighers`. */
export const DEFAULT_WEIGHERS = ['CapacityWeigher'] as const;

/** The named weighers, in that order. Throws SchedulerHostWeigherNotFound with every name that is none. */
export function weighersByName(names: readonly string[], options: WeigherOptions): readonly Weigher[] {
  const unknown = names.filter((name) => !WEIGHERS.has(name));
  if (unknown.length > 0) throw new Fault('SchedulerHostWeigherNotFound', { weigherName: unknown.join(', ') });
  return names.flatMap((name) => WEIGHERS.get(name)?.(options) ?? []);
}
