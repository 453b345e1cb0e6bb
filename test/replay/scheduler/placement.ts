import { Fault } from '#src/errors/fault.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { type Candidate, FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { type MigrationPolicy, poolAt, poolForGroup, poolForRetype } from '#src/scheduler/placements.js';
import type { Pool } from '#src/scheduler/pool-state.js';
import { Pools } from '#src/scheduler/pools.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS, DEFAULT_WEIGHT_HANDLER } from '../../support/cinder-defaults.js';
import { replay } from '../replay.js';
import {
  globalRatio,
  type RecordedProperties,
  type RecordedReport,
  type RecordedService,
  type RecordedType,
  requestOf,
  services,
} from './recorded.js';
import { weigherParts } from './weighers.js';

interface RecordedRequest {
  readonly volume_type?: RecordedType | null;
  readonly volume_properties: ValueMap & {
    readonly size: number;
    readonly host?: string;
    readonly cluster_name?: string | null;
  };
  readonly resource_properties?: { readonly availability_zone?: string | null };
  readonly availability_zones?: readonly string[] | null;
  readonly operation?: string;
}

type Input = {
  readonly services: readonly RecordedService[];
  readonly reports: readonly RecordedReport[];
} & (
  | {
      readonly method: 'backend_passes_filters';
      readonly backend: string;
      readonly request: RecordedRequest;
      readonly filter_properties: RecordedProperties;
    }
  | {
      readonly method: 'find_retype_backend';
      readonly request: RecordedRequest;
      readonly filter_properties: RecordedProperties;
      readonly migration_policy: MigrationPolicy;
    }
  | {
      readonly method: 'schedule_generic_group';
      readonly group_spec: RecordedRequest & { readonly group_type: RecordedType };
      readonly request_spec_list: readonly RecordedRequest[];
    }
);

export const placement = replay('placement', (input: Input) => {
  const { pools, scheduler } = schedulerFor(input);
  const candidates = (request: RecordedRequest, properties: RecordedProperties = {}): readonly Candidate[] =>
    scheduler.explain(requestOf(filled(request, properties))).candidates;

  switch (input.method) {
    case 'backend_passes_filters':
      return figures(poolAt(candidates(input.request, input.filter_properties), input.backend));
    case 'find_retype_backend': {
      const { cluster_name, host = '', size } = input.request.volume_properties;
      const current = cluster_name ?? host;
      const all = candidates(input.request, { ...input.filter_properties, vol_exists_on: current });
      const place = poolForRetype(all, current, input.migration_policy);
      if (place?.moves) pools.consume(place.pool.backendId, size);
      return figures(place?.pool);
    }
    case 'schedule_generic_group': {
      const { group_type, ...group } = input.group_spec;
      const ofGroup = candidates(withZone(group), { resource_type: group_type });
      const ofTypes: (readonly Candidate[])[] = [];
      for (const request of input.request_spec_list) {
        ofTypes.push(candidates(withZone(request)));
        // Cinder does not ask what follows a type that leaves no place
        if (!poolForGroup(ofTypes, ofTypes[0] ?? [])) return { backend_id: null };
      }
      const pool = poolForGroup(ofTypes, ofGroup);
      return pool ? figures(pool) : { backend_id: null };
    }
  }
});

function figures(pool: Pool | undefined): object {
  if (!pool) throw new Fault('NoValidBackend', { reason: 'none' });
  return {
    backend_id: pool.backendId,
    allocated_capacity_gb: pool.allocatedCapacityGb,
    free_capacity_gb: pool.freeCapacityGb,
  };
}

/** For a group Cinder fills in itself what the other methods get. */
function withZone(request: RecordedRequest): RecordedRequest {
  const { availability_zone } = request.volume_properties as { readonly availability_zone?: string | null };
  return { ...request, resource_properties: availability_zone === undefined ? {} : { availability_zone } };
}

function filled(request: RecordedRequest, properties: RecordedProperties): RecordedProperties {
  const { volume_type, volume_properties, ...spec } = request;
  return {
    size: volume_properties.size,
    ...(volume_type && { volume_type, resource_type: volume_type }),
    ...properties,
    request_spec: { ...spec, volume_properties },
  };
}

function schedulerFor({ services: rows, reports }: Pick<Input, 'services' | 'reports'>) {
  const pools = new Pools({ maxOverSubscriptionRatio: globalRatio(), now: () => 1000 });
  pools.setServices(services(rows));
  for (const { host, cluster_name, timestamp, capabilities } of reports) {
    pools.report({ host, clusterName: cluster_name, timestamp, capabilities });
  }
  const scheduler = new FilterScheduler({
    pools,
    filters: filtersByName(DEFAULT_FILTERS, { functions: new Functions() }),
    weighers: weighersByName(DEFAULT_WEIGHERS, weigherParts()),
    weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
    maxAttempts: 3,
  });
  return { pools, scheduler };
}
