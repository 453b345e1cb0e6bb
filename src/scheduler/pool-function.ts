import type { Variables } from './evaluator/evaluate.js';
import type { PlacementRequest } from './placement-request.js';
import type { Pool } from './pool-state.js';
import { str } from './python/repr.js';
import { get, isList, type ValueMap } from './python/value.js';

/** What a pool's function may refer to. `stats` is what is left after placements, `capabilities` what was reported. */
export interface FunctionView {
  readonly stats: ValueMap;
  readonly capabilities: ValueMap;
}

/** As pools report them. */
export type FunctionName = 'filter_function' | 'goodness_function';

/** The text of a pool's function; undefined when it reports none. Rule: cinder/scheduler/filters/driver_filter.py. */
export function functionText(pool: Pool, name: FunctionName): string | undefined {
  const reported = get(pool.capabilities, name) ?? undefined;
  return reported === undefined ? undefined : str(reported);
}

/**
 * A pool as its function sees it: once, or once for each spelling of its storage protocol when the function asks for
 * that, as the function was written for one of them.
 */
export function functionViews(pool: Pool, name: FunctionName, text: string): readonly FunctionView[] {
  const stats = name === 'filter_function' ? { ...statsOf(pool), ...namesOf(pool) } : statsOf(pool);
  const protocols = pool.storageProtocol;
  if (!isList(protocols) || !text.includes('storage_protocol')) return [{ stats, capabilities: pool.capabilities }];
  return protocols.map((protocol) => ({
    stats: { ...stats, storage_protocol: protocol },
    capabilities: { ...pool.capabilities, storage_protocol: protocol },
  }));
}

/** The namespaces of an expression. */
export function variables({ stats, capabilities }: FunctionView, request: PlacementRequest): Variables {
  return {
    stats,
    capabilities,
    extra: request.extraSpecs ?? {},
    qos: request.qosSpecs,
    volume: request.volumeProperties,
  };
}

function statsOf(pool: Pool): ValueMap {
  return {
    host: pool.host,
    volume_backend_name: pool.volumeBackendName,
    vendor_name: pool.vendorName,
    driver_version: pool.driverVersion,
    storage_protocol: pool.storageProtocol,
    QoS_support: pool.qosSupport,
    total_capacity_gb: pool.totalCapacityGb,
    allocated_capacity_gb: pool.allocatedCapacityGb,
    free_capacity_gb: pool.freeCapacityGb,
    reserved_percentage: pool.reservedPercentage,
    // a time is no number in Cinder, and a function that asks for it fails
    updated: null,
  };
}

/** Cinder gives these to filters only. */
function namesOf(pool: Pool): ValueMap {
  return { cluster_name: pool.clusterName, backend_id: pool.backendId };
}
