import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { Pools } from '#src/scheduler/pools.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import type { FilterProperties, RequestSpec } from '#src/objects/request-spec.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import {
  globalRatio,
  services,
  type Overrides,
  type RecordedRetry,
  type RecordedService,
  type RecordedType,
} from './recorded.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS } from '../../support/cinder-defaults.js';
import { replay } from '../replay.js';
import { type WeigherConfig, weigherParts } from './weighers.js';

interface Input {
  readonly config: Overrides &
    WeigherConfig & {
      readonly scheduler_default_filters?: readonly string[];
      readonly scheduler_default_weighers?: readonly string[];
      readonly scheduler_max_attempts?: number;
    };
  readonly services: readonly RecordedService[];
  readonly reports: readonly {
    readonly host: string;
    readonly cluster_name: string | null;
    readonly timestamp: number;
    readonly capabilities: ValueMap;
  }[];
  readonly request: {
    readonly volume_id: string;
    readonly volume_type: RecordedType | null;
    readonly volume_properties: { readonly size: number; readonly availability_zone: string | null };
    readonly resource_backend?: string;
    readonly availability_zones?: readonly string[];
  };
  readonly filter_properties: {
    readonly retry?: RecordedRetry;
    readonly scheduler_hints?: Readonly<Record<string, string>>;
  };
}

/** Whole decisions, from reports to the chosen pool. */
export const decisions = replay('decisions', decide);

function decide(input: Input): object {
  return { candidates: candidatesOf(input), ...choiceOf(input) };
}

function candidatesOf(input: Input): object {
  const { scheduler } = schedulerFor(input);
  const { candidates } = scheduler.explain(scheduler.begin(specOf(input), propertiesOf(input)).request);
  return candidates.map(({ pool, weight }) => ({ backend_id: pool.backendId, weight }));
}

function choiceOf(input: Input): object {
  const { scheduler, pools } = schedulerFor(input);
  const choice = scheduler.choose(scheduler.begin(specOf(input), propertiesOf(input)));
  if ('refusal' in choice) return { chosen: null };
  const { host, clusterName, backendId, availabilityZone, retry } = choice.placement;
  const pool = pools.find(backendId);
  return {
    chosen: backendId,
    chosen_state: {
      host,
      cluster_name: clusterName,
      allocated_capacity_gb: pool?.allocatedCapacityGb,
      provisioned_capacity_gb: pool?.provisionedCapacityGb,
      free_capacity_gb: pool?.freeCapacityGb,
      updated: pool?.updatedAt,
    },
    chosen_az: availabilityZone,
    retry: retry ? { num_attempts: retry.numAttempts, backends: retry.backends, hosts: retry.backends } : null,
  };
}

function schedulerFor({ config, services: rows, reports }: Input) {
  const pools = new Pools({ maxOverSubscriptionRatio: globalRatio(config), now: () => 1000 });
  pools.setServices(services(rows));
  for (const { host, cluster_name, timestamp, capabilities } of reports) {
    pools.report({ host, clusterName: cluster_name, timestamp, capabilities });
  }
  const scheduler = new FilterScheduler({
    pools,
    filters: filtersByName(config.scheduler_default_filters ?? DEFAULT_FILTERS, { functions: new Functions() }),
    weighers: weighersByName(config.scheduler_default_weighers ?? DEFAULT_WEIGHERS, weigherParts(config)),
    weightHandler: weightHandlerByName('OrderedHostWeightHandler', () => 0),
    maxAttempts: config.scheduler_max_attempts ?? 3,
  });
  return { scheduler, pools };
}

function specOf({ request }: Input): RequestSpec {
  const { volume_id, volume_type, volume_properties, resource_backend, availability_zones = [] } = request;
  const { size, availability_zone } = volume_properties;
  const type = volume_type && {
    ...{ id: 't', name: 't', description: null, isPublic: true, qosSpecsId: null },
    extraSpecs: new Map(Object.entries(volume_type.extra_specs ?? {})),
  };
  return {
    volumeId: volume_id,
    ...(type && { volumeType: type }),
    volumeProperties: {
      sizeGib: size,
      ...(availability_zone !== null && { availabilityZone: availability_zone }),
      metadata: new Map(),
      qosSpecs: new Map(),
      multiattach: false,
    },
    ...(resource_backend !== undefined && { resourceBackend: resource_backend }),
    availabilityZones: availability_zones,
  };
}

function propertiesOf({ filter_properties: { retry, scheduler_hints = {} } }: Input): FilterProperties {
  return {
    schedulerHints: new Map(Object.entries(scheduler_hints).map(([name, hint]) => [name, JSON.stringify(hint)])),
    ...(retry && {
      retry: { numAttempts: retry.num_attempts ?? 0, backends: retry.backends ?? [], exc: retry.exc ?? [] },
    }),
  };
}
