import type { CapacityUsage } from '#src/scheduler/capacity-usage.js';
import { Pools } from '#src/scheduler/pools.js';
import type { PoolState } from '#src/scheduler/pool-state.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { globalRatio, services, type Overrides, type RecordedReport, type RecordedService } from './recorded.js';
import { outcome, replay } from '../replay.js';

type Step = { readonly now?: number } & (
  | ({ readonly op: 'report'; readonly service?: string } & RecordedReport)
  | { readonly op: 'notify'; readonly backend: string; readonly capabilities: ValueMap; readonly timestamp: number }
  | { readonly op: 'query' }
  | { readonly op: 'consume' | 'revert'; readonly pool: string; readonly size: number }
  | { readonly op: 'services'; readonly services: readonly RecordedService[] }
);

interface Input {
  readonly config: Overrides;
  readonly services: readonly RecordedService[];
  readonly steps: readonly Step[];
}

/** Reports, placements and services move the pools as they move in Cinder. */
export const accounting = replay('accounting', play);

function play({ config, services: first, steps }: Input): object {
  let now = 0;
  const pools = new Pools({ maxOverSubscriptionRatio: globalRatio(config), now: () => now });
  pools.setServices(services(first));
  pools.list();
  const results = steps.map((step) => {
    now = step.now ?? now;
    // a step that raises is a result like the others, and the next one follows
    return outcome(() => take(pools, step));
  });
  return { steps: results, final: pools.list().map((pool) => ({ ...stateOf(pool), capabilities: pool.capabilities })) };
}

function take(pools: Pools, step: Step): object {
  switch (step.op) {
    case 'report':
      if ((step.service ?? 'volume') === 'volume') {
        const { host, cluster_name, timestamp, capabilities } = step;
        pools.report({ host, clusterName: cluster_name, timestamp, capabilities });
      }
      return readiness(pools);
    case 'notify': {
      const { backend, timestamp, capabilities } = step;
      const notice = pools.notify({ host: backend, clusterName: null, timestamp, capabilities });
      const notifications = (notice?.usages ?? []).map(recordedUsage);
      return notice?.stoppedAt === undefined ? { notifications } : { error: 'KeyError', notifications };
    }
    case 'query': {
      const states = pools.list().map(stateOf);
      return { pools: states, ...readiness(pools) };
    }
    case 'consume':
      return { found: pools.consume(step.pool, step.size) };
    case 'revert':
      pools.revert(step.pool, step.size);
      return {};
    case 'services':
      pools.setServices(services(step.services));
      return {};
  }
}

function readiness(pools: Pools): object {
  return {
    has_all_capabilities: pools.hasAllCapabilities,
    first_receive_capabilities: pools.firstReceiveCapabilities,
  };
}

function recordedUsage({
  type,
  nameToId,
  total,
  free,
  allocated,
  provisioned,
  virtualFree,
  reportedAt,
}: CapacityUsage) {
  const figures = { total, free, allocated, provisioned, virtual_free: virtualFree };
  return { type, name_to_id: nameToId, ...figures, reported_at: reportedAt };
}

function stateOf(pool: PoolState): object {
  return {
    host: pool.host,
    cluster_name: pool.clusterName,
    backend_id: pool.backendId,
    pool_name: pool.name,
    volume_backend_name: pool.volumeBackendName,
    vendor_name: pool.vendorName,
    driver_version: pool.driverVersion,
    storage_protocol: pool.storageProtocol,
    QoS_support: pool.qosSupport,
    total_capacity_gb: pool.totalCapacityGb,
    allocated_capacity_gb: pool.allocatedCapacityGb,
    free_capacity_gb: pool.freeCapacityGb,
    reserved_percentage: pool.reservedPercentage,
    provisioned_capacity_gb: pool.provisionedCapacityGb,
    max_over_subscription_ratio: pool.maxOverSubscriptionRatio,
    thin_provisioning_support: pool.thinProvisioningSupport,
    thick_provisioning_support: pool.thickProvisioningSupport,
    multiattach: pool.multiattach,
    filter_function: pool.filterFunction,
    goodness_function: pool.goodnessFunction,
    updated: pool.updatedAt,
    service_availability_zone: pool.service.availabilityZone,
  };
}
