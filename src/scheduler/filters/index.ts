import { Fault } from '../../errors/fault.js';
import type { Functions } from '../evaluator/functions.js';
import { differentBackendFilter, sameBackendFilter } from './affinity.js';
import { availabilityZoneFilter } from './availability-zone.js';
import { capabilitiesFilter } from './capabilities.js';
import { capacityFilter } from './capacity.js';
import { driverFilter } from './driver.js';
import type { Filter } from './filter.js';
import { ignoreAttemptedHostsFilter } from './ignore-attempted-hosts.js';
import { instanceLocalityFilter } from './instance-locality.js';
import { jsonFilter } from './json.js';

export type { Filter } from './filter.js';

/** What some filters work with. */
export interface FilterParts {
  /** Evaluates what pools report as their `filter_function`. */
  readonly functions: Functions;
}

/** The named filters, in that order. Throws SchedulerHostFilterNotFound with every name that is none. */
export function filtersByName(names: readonly string[], { functions }: FilterParts): readonly Filter[] {
  const all: readonly Filter[] = [
    availabilityZoneFilter,
    capabilitiesFilter,
    capacityFilter,
    differentBackendFilter,
    driverFilter(functions),
    ignoreAttemptedHostsFilter,
    instanceLocalityFilter,
    jsonFilter(),
    sameBackendFilter,
  ];
  const chosen = names.map((name) => all.find((filter) => filter.name === name) ?? name);
  const unknown = chosen.filter((filter) => typeof filter === 'string');
  if (unknown.length > 0) throw new Fault('SchedulerHostFilterNotFound', { filterName: unknown.join(', ') });
  return chosen.filter((filter) => typeof filter !== 'string');
}
