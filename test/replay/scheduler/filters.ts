import { availabilityZoneFilter } from '#src/scheduler/filters/availability-zone.js';
import { capabilitiesFilter } from '#src/scheduler/filters/capabilities.js';
import { capacityFilter } from '#src/scheduler/filters/capacity.js';
import { parseExtraSpec } from '#src/scheduler/filters/extra-spec.js';
import { differentBackendFilter, sameBackendFilter } from '#src/scheduler/filters/affinity.js';
import { driverFilter } from '#src/scheduler/filters/driver.js';
import { instanceLocalityFilter } from '#src/scheduler/filters/instance-locality.js';
import { jsonFilter } from '#src/scheduler/filters/json.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { ignoreAttemptedHostsFilter } from '#src/scheduler/filters/ignore-attempted-hosts.js';
import { capacityFactors } from '#src/scheduler/capacity.js';
import type { Pool } from '#src/scheduler/pool-state.js';
import type { Value, ValueMap } from '#src/scheduler/python/value.js';
import { outcome, replay } from '../replay.js';
import { type BackendPool, type Overrides, poolAt, poolOf, type RecordedProperties, requestOf } from './recorded.js';

export const extraSpecsMatch = replay('extra_specs_match', ({ value, req }: { value: Value; req: string | null }) => ({
  match: parseExtraSpec(req)(value),
}));

interface ZoneInput {
  readonly service: { readonly availability_zone?: string | null };
  readonly filter_properties: RecordedProperties;
}

export const availabilityZone = replay('availability_zone_filter', ({ service, filter_properties }: ZoneInput) => ({
  passes: availabilityZoneFilter.passes(
    poolAt('h@b#p', {}, null, service.availability_zone),
    requestOf(filter_properties),
  ),
}));

interface CapabilitiesInput {
  readonly capabilities: ValueMap;
  readonly filter_properties: RecordedProperties;
}

export const capabilities = replay('capabilities_filter', (input: CapabilitiesInput) => ({
  passes: capabilitiesFilter.passes(poolAt('h@b#p', input.capabilities), requestOf(input.filter_properties)),
}));

interface AttemptedInput {
  readonly backend_state: { readonly host: string; readonly cluster_name: string | null };
  readonly filter_properties: RecordedProperties;
}

export const ignoreAttemptedHosts = replay(
  'ignore_attempted_hosts_filter',
  ({ backend_state: { host, cluster_name }, filter_properties }: AttemptedInput) => ({
    passes: ignoreAttemptedHostsFilter.passes(poolAt(host, {}, cluster_name), requestOf(filter_properties)),
  }),
);

interface FunctionInput {
  readonly backend_pool: BackendPool;
  readonly filter_properties: RecordedProperties;
}

export const driver = replay('driver_filter', ({ backend_pool, filter_properties }: FunctionInput) => ({
  passes: driverFilter(new Functions()).passes(poolOf(backend_pool), requestOf(filter_properties)),
}));

export const json = replay('json_filter', ({ backend_pool, filter_properties }: FunctionInput) => ({
  passes: jsonFilter().passes(poolOf(backend_pool), requestOf(filter_properties)),
}));

interface AffinityInput extends AttemptedInput {
  readonly filter: 'SameBackend' | 'DifferentBackend';
  readonly volumes: readonly {
    readonly id: string;
    readonly host: string | null;
    readonly cluster_name: string | null;
  }[];
}

export const affinity = replay('affinity_filter', (input: AffinityInput) => {
  const { host, cluster_name } = input.backend_state;
  const volumes = input.volumes.map(({ id, host, cluster_name }) => ({ id, host, clusterName: cluster_name }));
  const filter = input.filter === 'SameBackend' ? sameBackendFilter : differentBackendFilter;
  return { passes: filter.passes(poolAt(host, {}, cluster_name), { ...requestOf(input.filter_properties), volumes }) };
});

interface LocalityInput extends AttemptedInput {
  readonly servers: Readonly<Record<string, string | null>>;
}

export const instanceLocality = replay('instance_locality_filter', (input: LocalityInput) => {
  const { host, cluster_name } = input.backend_state;
  const known = Object.entries(input.servers).filter((entry): entry is [string, string] => entry[1] !== null);
  const request = { ...requestOf(input.filter_properties), servers: new Map(known) };
  return { passes: instanceLocalityFilter.passes(poolAt(host, {}, cluster_name), request) };
});

interface CapacityInput {
  readonly config: Overrides;
  readonly backend_pool: BackendPool;
  readonly filter_properties: RecordedProperties;
}

export const capacity = replay('capacity_filter', ({ config, backend_pool, filter_properties }: CapacityInput) => {
  const pool = poolOf(backend_pool, config);
  const request = requestOf(filter_properties);
  const verdict = outcome(() => capacityFilter.passes(pool, request));
  return {
    max_over_subscription_ratio: pool.maxOverSubscriptionRatio,
    provisioned_capacity_gb: pool.provisionedCapacityGb,
    factors: factors(pool, request.isThin),
    ...(typeof verdict === 'boolean' ? { passes: verdict } : verdict),
  };
});

/** As recorded: null where Cinder cannot compute them, no ratio for a thick volume. */
function factors(pool: Pool, isThin: boolean): Readonly<Record<string, Value>> | null {
  const made = outcome(() => capacityFactors(pool, isThin));
  if ('error' in made) return null;
  return {
    total_capacity: made.totalCapacity,
    free_capacity: made.freeCapacity,
    reserved_capacity: made.reservedCapacity,
    total_reserved_available_capacity: made.totalReservedAvailableCapacity,
    max_over_subscription_ratio: made.isThin ? pool.maxOverSubscriptionRatio : null,
    total_available_capacity: made.totalAvailableCapacity,
    provisioned_capacity: made.provisionedCapacity,
    calculated_free_capacity: made.calculatedFreeCapacity,
    virtual_free_capacity: made.virtualFreeCapacity,
    free_percent: made.freePercent,
    provisioned_ratio: made.provisionedRatio,
    provisioned_type: made.isThin ? 'thin' : 'thick',
  };
}
