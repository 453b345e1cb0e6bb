import { parseRequirements } from '#src/scheduler/filters/requirement.js';
import {
  growsInUse,
  NO_SURROUNDINGS,
  requestedGib,
  wantsThin,
  type PlacementRequest,
} from '#src/scheduler/placement-request.js';
import { Pools } from '#src/scheduler/pools.js';
import { PoolState, type Pool } from '#src/scheduler/pool-state.js';
import type { Value, ValueMap } from '#src/scheduler/python/value.js';

/** One pool of one backend, as the vectors give it. */
export interface BackendPool {
  readonly host: string;
  readonly cluster_name: string | null;
  readonly backend: ValueMap;
  readonly service: { readonly availability_zone?: string | null };
  readonly pool: ValueMap;
}

/** A service row, as the vectors give it. */
export interface RecordedService {
  readonly host: string;
  readonly cluster_name: string | null;
  readonly availability_zone?: string | null;
  readonly up: boolean;
  readonly disabled: boolean;
  readonly frozen: boolean;
}

/** A report of capabilities, as the vectors give it. */
export interface RecordedReport {
  readonly host: string;
  readonly cluster_name: string | null;
  readonly timestamp: number;
  readonly capabilities: ValueMap;
}

/** Cinder's filter properties, in the parts the vectors use. */
export interface RecordedProperties {
  readonly size?: Value;
  readonly new_size?: Value;
  readonly vol_exists_on?: string | null;
  readonly volume_type?: RecordedType | null;
  readonly resource_type?: RecordedType | null;
  readonly qos_specs?: ValueMap | null;
  readonly scheduler_hints?: ValueMap | null;
  readonly retry?: RecordedRetry | null;
  readonly request_spec?: {
    readonly availability_zones?: readonly string[] | string | null;
    readonly resource_properties?: { readonly availability_zone?: string | null };
    readonly operation?: string;
    readonly volume_properties?: ValueMap;
  };
}

export interface RecordedType {
  readonly extra_specs?: Readonly<Record<string, string>>;
}

export interface RecordedRetry {
  readonly num_attempts?: number;
  readonly backends?: readonly string[];
  readonly hosts?: readonly string[];
  readonly exc?: readonly string[];
}

export interface Overrides {
  readonly max_over_subscription_ratio?: string;
}

export const globalRatio = (config?: Overrides): string => config?.max_over_subscription_ratio ?? '20.0';

/** Services as the scheduler takes them; an absent zone stays absent. */
export function services(recorded: readonly RecordedService[]) {
  return recorded.map(({ host, cluster_name, availability_zone, up, disabled, frozen }) => ({
    ...{ host, clusterName: cluster_name, up, disabled, frozen },
    ...(availability_zone === undefined ? {} : { availabilityZone: availability_zone }),
  }));
}

/** The pool of one report made at time 0. Throws what refuses the report. */
export function poolOf({ host, cluster_name, backend, service, pool }: BackendPool, config?: Overrides): Pool {
  const pools = new Pools({ maxOverSubscriptionRatio: globalRatio(config), now: () => 0 });
  pools.setServices(services([{ host, cluster_name, ...service, up: true, disabled: false, frozen: false }]));
  const report = { host, clusterName: cluster_name, timestamp: 0, capabilities: { ...backend, pools: [pool] } };
  pools.report(report);
  const [only] = pools.list();
  if (only === undefined) throw new Error('the report made no pool');
  return only;
}

/** A pool of which only host and cluster (both as given, with `#pool`), zone and capabilities matter. */
export function poolAt(
  host: string,
  capabilities: ValueMap = {},
  cluster: string | null = null,
  zone?: string | null,
): Pool {
  const [backend = '', name = ''] = host.split('#');
  const service = { host: backend, clusterName: null, up: true, disabled: false, frozen: false };
  const pool = new PoolState(
    backend,
    null,
    name,
    zone === undefined ? service : { ...service, availabilityZone: zone },
  );
  pool.capabilities = capabilities;
  return Object.assign(pool, { host, clusterName: cluster, backendId: cluster ?? host });
}

/** The request that Cinder's filter properties stand for. */
export function requestOf(properties: RecordedProperties): PlacementRequest {
  const spec = properties.request_spec ?? {};
  const capacityType = properties.volume_type ?? {};
  const attachStatus = spec.volume_properties?.['attach_status'];
  return {
    requestedGib: requestedGib(properties.size ?? null, properties.new_size),
    isThin: wantsThin(capacityType.extra_specs ?? null),
    zones: spec.availability_zones ?? [],
    zone: spec.resource_properties?.availability_zone ?? '',
    requirements: parseRequirements(Object.entries(properties.resource_type?.extra_specs ?? {})),
    growsInUse: growsInUse(spec.operation, typeof attachStatus === 'string' ? attachStatus : undefined),
    existsOn: properties.vol_exists_on ?? null,
    tried: properties.retry?.backends ?? properties.retry?.hosts ?? [],
    resourceBackend: null,
    extraSpecs: capacityType.extra_specs ?? null,
    qosSpecs: properties.qos_specs ?? null,
    volumeProperties: spec.volume_properties ?? {},
    hints: properties.scheduler_hints === undefined ? {} : properties.scheduler_hints,
    ...NO_SURROUNDINGS,
  };
}
