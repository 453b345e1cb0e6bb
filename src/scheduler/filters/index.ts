import { Fault } from '../../errors/fault.js';
import { availabilityZoneFilter } from './availability-zone.js';
import { capabilitiesFilter } from './capabilities.js';
import { capacityFilter } from './capacity.js';
import type { Filter } from './filter.js';
import { ignoreAttemptedHostsFilter } from './ignore-attempted-hosts.js';

export type { Filter } from './filter.js';

/** Every filter there is. */
const FILTERS: readonly Filter[] = [
  availabilityZoneFilter,
  capabilitiesFilter,
  capacityFilter,
  ignoreAttemptedHostsFilter,
];

/** Cinder's default for `scheduler_default_filters`. */
export const DEFAULT_FILTERS = ['AvailabilityZoneFilter', 'CapacityFilter', 'CapabilitiesFilter'] as const;

/** The named filters, in that order. Throws SchedulerHostFilterNotFound with every name that is none. */
export function filtersByName(names: readonly string[]): readonly Filter[] {
  const chosen = names.map((name) => FILTERS.find((filter) => filter.name === name) ?? name);
  const unknown = chosen.filter((filter) => typeof filter === 'string');
  if (unknown.length > 0) throw new Fault('SchedulerHostFilterNotFound', { filterName: unknown.join(', ') });
  return chosen.filter((filter) => typeof filter !== 'string');
}
